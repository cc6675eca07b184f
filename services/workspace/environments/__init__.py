"""The virtual environments that targets' suites run in."""
