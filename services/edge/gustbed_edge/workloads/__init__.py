"""What is made of blocks."""
