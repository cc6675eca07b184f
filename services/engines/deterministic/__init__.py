"""The deterministic engine: finds with ruff, fixes with ruff and with codemods of its own, needs no key.

Rules:
1. Source is parsed, never executed, so this engine runs on the host.
2. The target's own tool configuration is not read: the same tree gives the same findings anywhere.
3. A finding is gone only when it is gone with every suppression comment ignored as well.
"""
