"""AWS IoT Core, Jobs and named shadows."""
