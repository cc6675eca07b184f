"""Everything the log knows of one improvement at a moment, gathered for whoever shows it."""
