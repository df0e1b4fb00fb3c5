"""Histories of comboi's orchestrations and entities, as the Functions worker gets them: captured and replayed."""
