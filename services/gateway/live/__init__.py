"""What tells browsers and programs that something happened, as it happens."""
