"""What the header of an asset says, as datasets of comboi."""
