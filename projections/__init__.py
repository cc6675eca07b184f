"""Read models in PostgreSQL: rebuilt from the log at any time, never written by anything else."""
