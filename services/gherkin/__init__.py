"""Features whose every step can be executed: written by PM, executed by QA."""
