"""Models on disk: stored, checked, installed."""
