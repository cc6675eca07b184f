"""The gates: small named checks of a change, each with its version and its evidence."""
