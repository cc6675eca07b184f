"""The real NATS and PostgreSQL servers that a data folder brings along."""
