# One identity, and every role it needs: nothing on the subscription or the resource group.

resource "azurerm_user_assigned_identity" "app" {
  name                = "id-${local.base}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags
}

locals {
  # The runtime keeps locks, keys and packages in blobs; Durable Functions keeps work in queues and history in tables.
  roles = {
    runtime_blob  = { role = "Storage Blob Data Owner", scope = azurerm_storage_account.runtime.id }
    runtime_queue = { role = "Storage Queue Data Contributor", scope = azurerm_storage_account.runtime.id }
    runtime_table = { role = "Storage Table Data Contributor", scope = azurerm_storage_account.runtime.id }
    bronze        = { role = "Storage Blob Data Contributor", scope = azurerm_storage_container.layer["bronze"].id }
    silver        = { role = "Storage Blob Data Contributor", scope = azurerm_storage_container.layer["silver"].id }
    gold          = { role = "Storage Blob Data Contributor", scope = azurerm_storage_container.layer["gold"].id }
    vault         = { role = "Key Vault Secrets User", scope = azurerm_key_vault.this.id }
    telemetry     = { role = "Monitoring Metrics Publisher", scope = azurerm_application_insights.this.id }
  }

  readers = {
    for pair in setproduct(["silver", "gold"], var.reader_object_ids) : "${pair[0]}-${pair[1]}" => { layer = pair[0], id = pair[1] }
  }
}

resource "azurerm_role_assignment" "app" {
  for_each             = local.roles
  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "reader" {
  for_each             = local.readers
  scope                = azurerm_storage_container.layer[each.value.layer].id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = each.value.id
}

resource "azurerm_role_assignment" "operator" {
  for_each             = var.operator_object_ids
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = each.value
}

# Deployments to Flex Consumption go through the app; on the other plans people put the package into its container.
resource "azurerm_role_assignment" "deployer" {
  for_each             = local.flex ? [] : var.operator_object_ids
  scope                = azurerm_storage_container.packages.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = each.value
}
