"""`comboi init` and `comboi new`: write the first files."""
