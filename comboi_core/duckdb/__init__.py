"""DuckDB: opening it within limits, and its errors in our words."""
