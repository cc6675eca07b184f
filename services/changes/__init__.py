"""Changes as commits: their messages, and stacks of them that can be made again from recipes."""
