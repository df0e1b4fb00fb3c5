"""Operational databases: one adapter per type, found through `registry`."""
