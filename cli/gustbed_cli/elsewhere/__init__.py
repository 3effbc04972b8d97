"""A site on other machines: one description of it, and what is made from that."""
