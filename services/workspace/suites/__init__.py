"""A target's test suite: how it is called, run and reported."""
