"""What people use before a deployment: doctor, preview, trial, catalogue, scaffold."""
