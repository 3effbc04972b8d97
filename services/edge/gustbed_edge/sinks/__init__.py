"""Where anomaly events go."""
