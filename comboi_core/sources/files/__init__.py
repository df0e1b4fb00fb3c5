"""Files in folders and containers as a source."""
