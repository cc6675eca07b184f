"""Building views from nothing: the log in piles, folded side by side, loaded as sheets."""
