"""Stretches of data for retraining."""
