"""How assets run: templates, hooks, Python, seeds, unit tests."""
