"""The DevOps role: its policy (pure), its agent (the effect), and the program that runs it."""
