"""The swarm's services and the libraries they stand on."""
