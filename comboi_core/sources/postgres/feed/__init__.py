"""The change feed of PostgreSQL: a logical slot tells which keys changed; the rows are read by SELECT."""
