"""Metering: what the system and others measure, counted, told to programs, and drawn."""
