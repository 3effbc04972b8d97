"""From what inputs deliver to checked blocks in order."""
