"""Erasing a person: bronze, datasets, records."""
