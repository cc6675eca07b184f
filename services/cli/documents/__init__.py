"""APS documents: exported and checked."""
