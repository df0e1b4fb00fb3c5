"""ADLS Gen2 and Azurite as a lake."""
