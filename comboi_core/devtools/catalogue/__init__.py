"""The catalogue: pages on tables, datasets, columns and lineage."""
