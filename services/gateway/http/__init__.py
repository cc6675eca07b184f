"""What every route shares: one table of routes, who may take them, problem details, conditional requests."""
