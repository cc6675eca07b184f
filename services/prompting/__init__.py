"""Prompts: strict templates, the fence around what strangers wrote, and what instructs from within it."""
