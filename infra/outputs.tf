output "resource_group" {
  description = "The resource group of the environment."
  value       = azurerm_resource_group.this.name
}

output "function_app" {
  description = "Name of the function app, for deployments."
  value       = one(concat(azurerm_function_app_flex_consumption.this[*].name, azurerm_linux_function_app.this[*].name))
}

output "app_url" {
  description = "Address of the function app: comboi commands take it as --url, the API is below /api."
  value       = "https://${one(concat(azurerm_function_app_flex_consumption.this[*].default_hostname, azurerm_linux_function_app.this[*].default_hostname))}"
}

output "runtime_account" {
  description = "Storage account of the Functions runtime; off Flex Consumption, a deployment puts the package into it."
  value       = azurerm_storage_account.runtime.name
}

output "lake_account" {
  description = "Storage account of the lake; in the configuration it is {{env:DATA_LAKE_ACCOUNT_NAME}}."
  value       = azurerm_storage_account.lake.name
}

output "vault_url" {
  description = "Key Vault's address; in the configuration it is {{env:KEY_VAULT_URL}}."
  value       = azurerm_key_vault.this.vault_uri
}

output "vault_name" {
  description = "Key Vault's name, for az keyvault secret set."
  value       = azurerm_key_vault.this.name
}

output "identity_name" {
  description = "Name of the app's identity: the user to make in Azure SQL and PostgreSQL."
  value       = azurerm_user_assigned_identity.app.name
}

output "identity_client_id" {
  description = "Client id of the app's identity."
  value       = azurerm_user_assigned_identity.app.client_id
}

output "application_insights" {
  description = "Application Insights of the environment."
  value       = azurerm_application_insights.this.name
}
