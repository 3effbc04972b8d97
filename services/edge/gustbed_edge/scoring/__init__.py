"""From blocks to windows, from windows to verdicts."""
