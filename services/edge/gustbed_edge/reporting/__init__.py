"""What the edge says of itself."""
