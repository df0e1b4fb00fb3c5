# Optional private networking: the app inside a network, storage and vault behind private endpoints.

locals {
  endpoints = var.private_networking ? {
    runtime-blob  = { resource = azurerm_storage_account.runtime.id, part = "blob" }
    runtime-queue = { resource = azurerm_storage_account.runtime.id, part = "queue" }
    runtime-table = { resource = azurerm_storage_account.runtime.id, part = "table" }
    lake-blob     = { resource = azurerm_storage_account.lake.id, part = "blob" }
    lake-dfs      = { resource = azurerm_storage_account.lake.id, part = "dfs" }
    vault         = { resource = azurerm_key_vault.this.id, part = "vault" }
  } : {}

  zones = var.private_networking ? {
    blob  = "privatelink.blob.core.windows.net"
    queue = "privatelink.queue.core.windows.net"
    table = "privatelink.table.core.windows.net"
    dfs   = "privatelink.dfs.core.windows.net"
    vault = "privatelink.vaultcore.azure.net"
  } : {}

  app_subnet_id = var.private_networking ? azurerm_subnet.app[0].id : null
}

resource "azurerm_virtual_network" "this" {
  count               = var.private_networking ? 1 : 0
  name                = "vnet-${local.base}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  address_space       = [var.address_space]
  tags                = local.tags
}

resource "azurerm_subnet" "app" {
  count                = var.private_networking ? 1 : 0
  name                 = "app"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this[0].name
  address_prefixes     = [cidrsubnet(var.address_space, 2, 0)]

  delegation {
    name = "functions"
    service_delegation {
      name    = local.flex ? "Microsoft.App/environments" : "Microsoft.Web/serverFarms"
      actions = ["Microsoft.Network/virtualNetworks/subnets/${local.flex ? "join/" : ""}action"]
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  count                = var.private_networking ? 1 : 0
  name                 = "endpoints"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this[0].name
  address_prefixes     = [cidrsubnet(var.address_space, 2, 1)]
}

resource "azurerm_private_dns_zone" "this" {
  for_each            = local.zones
  name                = each.value
  resource_group_name = azurerm_resource_group.this.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each              = local.zones
  name                  = each.key
  resource_group_name   = azurerm_resource_group.this.name
  private_dns_zone_name = azurerm_private_dns_zone.this[each.key].name
  virtual_network_id    = azurerm_virtual_network.this[0].id
  tags                  = local.tags
}

resource "azurerm_private_endpoint" "this" {
  for_each            = local.endpoints
  name                = "pe-${each.key}-${local.base}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.resource
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.this[each.value.part].id]
  }
}
