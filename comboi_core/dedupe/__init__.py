"""Deduplication with Splink: which records mean the same, and which of them survives."""
