"""APS documents as YAML: rendered from facts, read with line numbers, described by generated files."""
