"""Source distributions from the person's package index, made into repositories."""
