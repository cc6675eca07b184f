"""What every service runs on: settings, logging, servers, connections, claims, delivery."""
