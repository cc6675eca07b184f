"""What proves the log to whoever does not trust us: signed heads, exports, backups, and verifying them."""
