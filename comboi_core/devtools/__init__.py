"""Tools for development, not for Azure: doctor, preview, trial, catalogue, scaffold."""
