"""The facts, the rules that admit them, and the log that keeps them."""
