"""comboi: exactly-once ELT for Azure, from two YAML files."""
