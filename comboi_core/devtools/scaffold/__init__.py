"""`comboi init` and `comboi new`: files to begin with."""
