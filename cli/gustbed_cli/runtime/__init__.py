"""Two ways to run the same services: local processes, or containers."""
