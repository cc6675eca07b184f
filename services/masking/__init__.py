"""Secrets: what they look like, and how they are hidden in whatever leaves a process."""
