"""Opens the log up to a moment as a world of its own, lists and removes such worlds, and compares them."""
