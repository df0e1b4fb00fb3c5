"""Datasets: build, check, deduplicate, publish."""
