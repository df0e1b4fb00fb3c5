"""Assets of Bruin: files in `transformations/` whose header says what they make, read into datasets and run in DuckDB.

Bruin's format is open source (Apache-2.0); docs/bruin.md says what is read, what is done differently, and what is
refused. Nothing of Bruin itself is needed.
"""
