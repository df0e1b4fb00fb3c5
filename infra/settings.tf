# App settings: exactly those that the Functions runtime, a library or comboi reads. None is a key or a password.

locals {
  # Identity-based storage. The provider puts AzureWebJobsStorage="DefaultEndpointsProtocol=...;AccountKey=" into Flex
  # apps all the same (https://github.com/hashicorp/terraform-provider-azurerm/issues/29693), which the runtime would
  # believe before the rest: hence the empty value, and every service by its address; Durable Functions takes all three or
  # none. The provider hides what it finds under this name, so every plan has the line once more; with `ignore_changes` its
  # own value would come back. The account's name it sets itself for the other plans, and hides it there.
  flex_storage_settings = local.flex ? {
    AzureWebJobsStorage              = ""
    AzureWebJobsStorage__accountName = azurerm_storage_account.runtime.name
  } : {}
  storage_settings = merge(local.flex_storage_settings, {
    AzureWebJobsStorage__credential      = "managedidentity"
    AzureWebJobsStorage__clientId        = azurerm_user_assigned_identity.app.client_id
    AzureWebJobsStorage__blobServiceUri  = azurerm_storage_account.runtime.primary_blob_endpoint
    AzureWebJobsStorage__queueServiceUri = azurerm_storage_account.runtime.primary_queue_endpoint
    AzureWebJobsStorage__tableServiceUri = azurerm_storage_account.runtime.primary_table_endpoint
  })

  # Activities that fit an instance's memory; docs/deploy.md says how the numbers come about.
  memory_mb  = local.flex ? var.instance_memory_mb : local.premium ? { EP1 = 3584, EP2 = 7168, EP3 = 14336 }[var.premium_sku] : 1536
  fitted     = local.memory_mb < 2048 ? 1 : local.memory_mb < 3584 ? 2 : floor(local.memory_mb / 1024 * 0.75)
  activities = var.activities_per_instance == null ? local.fitted : var.activities_per_instance

  # Settings of this form override host.json for the app's own host. The scale controller reads host.json alone, so the
  # task hub's name and partitions must not come from here, or the app would never scale out
  # (https://github.com/Azure/azure-functions-durable-extension/issues/2803); `make package TASK_HUB=` writes a name into it.
  # Linux Consumption refuses to start with a time limit above ten minutes.
  host_settings = merge(
    {
      AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions = tostring(local.activities)
    },
    local.consumption ? { AzureFunctionsJobHost__functionTimeout = "00:10:00" } : {},
  )

  # Flex Consumption knows its package by the app's own arguments. The other plans have no content share, which takes
  # keys only; they mount the package from its address, read with the identity.
  package_settings = local.flex ? {} : {
    WEBSITE_RUN_FROM_PACKAGE                     = local.package_url
    WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID = azurerm_user_assigned_identity.app.id
  }

  worker_settings = {
    # Activities, orchestrators and entities share the worker's threads; the default (processors + 4) can leave the
    # orchestrators waiting behind the activities.
    PYTHON_THREADPOOL_THREAD_COUNT = tostring(local.activities + 14)
    # Telemetry of the host and of comboi goes by the identity's tokens, not by the key in the connection string.
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING  = "ClientId=${azurerm_user_assigned_identity.app.client_id};Authorization=AAD"
    APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL = "true"
    # azure-identity signs in as this user-assigned identity: towards lake, vault and databases.
    AZURE_CLIENT_ID = azurerm_user_assigned_identity.app.client_id
  }

  comboi_settings = {
    COMBOI_CONFIG          = "/home/site/wwwroot/${var.config_file}"
    COMBOI_TIMER_SCHEDULE  = var.schedule
    DATA_LAKE_ACCOUNT_NAME = azurerm_storage_account.lake.name
    KEY_VAULT_URL          = azurerm_key_vault.this.vault_uri
  }

  app_settings = merge(
    var.app_settings,
    local.storage_settings,
    local.host_settings,
    local.package_settings,
    local.worker_settings,
    local.comboi_settings,
  )
}
