"""Runs commands nobody trusts: a target's build back-end, its tests, its generated code."""
