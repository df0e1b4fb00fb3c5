"""Use cases: each activity's work, joined from the adapters."""
