"""The services, run together, one by one, or inside a command."""
