# azurerm 5 knows all that is used but one argument: there, monitoring.tf says `local_authentication_enabled = false`.
terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.55, < 5.0"
    }
  }
}

provider "azurerm" {
  subscription_id = var.subscription_id
  # The accounts have no shared keys: whatever the provider asks them itself, it asks with Entra.
  storage_use_azuread = true

  # azurerm 4 registers some sixty resource providers by default, azurerm 5 none: here it is those that are used.
  resource_provider_registrations = "none"
  resource_providers_to_register = [
    "Microsoft.App",
    "Microsoft.Authorization",
    "Microsoft.Consumption",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
    "Microsoft.Web",
  ]

  features {
    key_vault {
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = true
    }
    # azurerm 4 asks every account for its queue's properties, from the machine that runs terraform; of an account behind
    # private endpoints it gets 403, and the apply fails. Nothing here needs that way.
    storage {
      data_plane_available = false
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}
