"""Landing tables: plan, extract, publish, fold, sweep."""
