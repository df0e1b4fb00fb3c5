"""Bruin assets: their headers, and how they run. Optional; only `app.loader` and `transforms` know of them."""
