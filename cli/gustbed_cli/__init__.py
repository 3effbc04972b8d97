"""The front door of Gustbed, for people and for scripts."""
