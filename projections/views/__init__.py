"""The views: one file for each, its table and what an event does to its rows."""
