"""The `aps` command."""
