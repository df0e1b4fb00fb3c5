# Two accounts. The Functions runtime cannot use one with a hierarchical namespace, and the lake wants one.

locals {
  # Reachable from the internet, with an identity, unless private networking is on; then from allowed_ips at most.
  public_access  = !var.private_networking || length(var.allowed_ips) > 0
  default_action = var.private_networking ? "Deny" : "Allow"
}

resource "azurerm_storage_account" "runtime" {
  name                            = "${local.packed}rt"
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  account_kind                    = "StorageV2"
  account_tier                    = "Standard"
  account_replication_type        = "LRS"
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  allow_nested_items_to_be_public = false
  public_network_access_enabled   = !var.private_networking
  tags                            = local.tags

  network_rules {
    default_action = local.default_action
    bypass         = ["AzureServices"]
  }
}

resource "azurerm_storage_container" "packages" {
  name                  = "packages"
  storage_account_id    = azurerm_storage_account.runtime.id
  container_access_type = "private"
}

locals {
  package_url = "${azurerm_storage_account.runtime.primary_blob_endpoint}${azurerm_storage_container.packages.name}/comboi.zip"
}

resource "azurerm_storage_account" "lake" {
  name                             = "${local.packed}lk"
  resource_group_name              = azurerm_resource_group.this.name
  location                         = azurerm_resource_group.this.location
  account_kind                     = "StorageV2"
  account_tier                     = "Standard"
  account_replication_type         = var.lake_replication
  is_hns_enabled                   = true
  min_tls_version                  = "TLS1_2"
  https_traffic_only_enabled       = true
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  local_user_enabled               = false
  public_network_access_enabled    = local.public_access
  tags                             = local.tags

  blob_properties {
    delete_retention_policy {
      days = var.soft_delete_days
    }
    container_delete_retention_policy {
      days = var.soft_delete_days
    }
  }

  network_rules {
    default_action = local.default_action
    bypass         = ["AzureServices"]
    ip_rules       = var.private_networking ? var.allowed_ips : []
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "layer" {
  for_each              = toset(["bronze", "silver", "gold"])
  name                  = each.key
  storage_account_id    = azurerm_storage_account.lake.id
  container_access_type = "private"

  lifecycle {
    prevent_destroy = true
  }
}

# Only run records are moved: a load of last year is read by tonight's run, and the cool tier charges for reading.
resource "azurerm_storage_management_policy" "lake" {
  storage_account_id = azurerm_storage_account.lake.id

  rule {
    name    = "run-records"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["bronze/runs/"]
    }
    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = var.run_files_cool_after_days
      }
    }
  }
}
