"""What delivers blocks."""
