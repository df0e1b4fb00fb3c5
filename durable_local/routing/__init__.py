"""Which HTTP function answers a request: ASP.NET Core's route templates, in the Functions host's order."""
