"""Looking after an installation: health, diagnosis, logs, set-up, settings, reset."""
