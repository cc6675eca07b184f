"""Engines that find and write changes."""
