"""Finds what should be better in what other systems tell."""
