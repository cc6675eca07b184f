"""Git repositories, read and written so that nothing in them runs."""
