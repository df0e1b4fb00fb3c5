"""`comboi validate` without a source: names, columns and SQL of the datasets."""
