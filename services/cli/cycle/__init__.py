"""One improvement cycle from the command line."""
