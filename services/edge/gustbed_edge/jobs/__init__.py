"""Jobs that the cloud asks for: taken, executed once, reported."""
