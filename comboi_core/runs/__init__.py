"""Runs: their plan, their record, their history, and who is told."""
