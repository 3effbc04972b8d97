"""Whole fleets, as a person starts them."""
