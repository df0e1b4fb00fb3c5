"""The YAML files: models, loader, references."""
