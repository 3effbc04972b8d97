"""What must outlive the process, and what waits for the cloud."""
