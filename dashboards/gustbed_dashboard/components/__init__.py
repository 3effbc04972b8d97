"""What pages are made of: fragments, charts, colours, and what decides what they show."""
