"""Targets on disk: clones, work trees, environments and suite runs."""
