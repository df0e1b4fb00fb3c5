# Application Insights takes telemetry from identities only, nothing by the key in its connection string. For azurerm 4:
#   cp infra/overrides/insights_azurerm4.tf infra/insights_override.tf
# azurerm 5 calls the argument otherwise, and no name is valid in every version that versions.tf allows.

resource "azurerm_application_insights" "this" {
  local_authentication_disabled = true
}
