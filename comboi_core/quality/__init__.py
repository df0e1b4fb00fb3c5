"""Quality checks: what must hold of a dataset before it is published."""
