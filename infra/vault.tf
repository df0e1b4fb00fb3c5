# Secrets of the sources. Terraform writes none of them, so that none is in its state: see docs/deploy.md.

resource "azurerm_key_vault" "this" {
  name                          = "kv${local.packed}"
  resource_group_name           = azurerm_resource_group.this.name
  location                      = azurerm_resource_group.this.location
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = local.public_access
  tags                          = local.tags

  network_acls {
    default_action = local.default_action
    bypass         = "AzureServices"
    ip_rules       = var.private_networking ? var.allowed_ips : []
  }
}
