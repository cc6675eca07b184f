"""Pages for people: complete without JavaScript, and new by themselves with it."""
