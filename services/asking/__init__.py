"""Asks engines: within budgets, again or elsewhere where that may help, and all of it on the log."""
