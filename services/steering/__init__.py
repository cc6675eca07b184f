"""What people decide, the same at the command line, on a page and through the API."""
