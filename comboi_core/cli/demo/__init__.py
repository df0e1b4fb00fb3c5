"""The demo: an operational database with real data, from nothing but installed packages."""
