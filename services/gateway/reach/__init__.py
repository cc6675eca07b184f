"""The ways from the gateway to NATS and PostgreSQL: nobody waits for one that is away."""
