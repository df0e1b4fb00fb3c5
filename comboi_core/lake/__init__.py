"""The data lake: one filesystem port, bronze files and their manifests."""
