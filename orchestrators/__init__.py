"""When: deterministic generators. They see ids, references and counts; never a clock, a file or a row."""
