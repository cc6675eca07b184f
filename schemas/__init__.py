"""The words every part of the system shares: frozen models without behaviour of their own."""
