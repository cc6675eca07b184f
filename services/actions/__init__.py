"""AI-powered actions: typed questions any service may ask, each with a rule for its answer, and a floor."""
