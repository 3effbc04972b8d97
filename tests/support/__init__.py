"""Real parts for tests: brokers, clouds, packages."""
