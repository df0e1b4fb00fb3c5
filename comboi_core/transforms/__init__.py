"""Transformations: scripts in SQL and Python, run by DuckDB."""
