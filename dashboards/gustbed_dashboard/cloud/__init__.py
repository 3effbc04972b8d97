"""What is read in the background from the cloud, and the drift reports on this machine."""
