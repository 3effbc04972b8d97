"""From verdicts to anomaly events."""
