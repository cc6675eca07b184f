"""The API: everything a page shows or does, as JSON."""
