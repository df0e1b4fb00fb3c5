"""Values behind references: the environment and Key Vault."""
