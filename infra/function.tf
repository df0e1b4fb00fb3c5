# The function app: Flex Consumption by default, or the other two plans in one resource.

resource "azurerm_service_plan" "this" {
  name                         = "asp-${local.base}"
  resource_group_name          = azurerm_resource_group.this.name
  location                     = azurerm_resource_group.this.location
  os_type                      = "Linux"
  sku_name                     = local.flex ? "FC1" : local.premium ? var.premium_sku : "Y1"
  maximum_elastic_worker_count = local.premium ? min(var.maximum_instances, 100) : null
  tags                         = local.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  count               = local.flex ? 1 : 0
  name                = "func-${local.base}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  service_plan_id     = azurerm_service_plan.this.id

  runtime_name           = "python"
  runtime_version        = var.python_version
  instance_memory_in_mb  = var.instance_memory_mb
  maximum_instance_count = var.maximum_instances
  # By default a Python app's instance takes one call at a time, and a page that asks for three things starts three.
  http_concurrency = 16

  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.runtime.primary_blob_endpoint}${azurerm_storage_container.packages.name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.app.id

  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = local.app_subnet_id
  app_settings                                   = local.app_settings
  tags                                           = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  dynamic "always_ready" {
    for_each = var.always_ready_durable > 0 ? [var.always_ready_durable] : []
    content {
      name           = "durable"
      instance_count = always_ready.value
    }
  }

  site_config {
    application_insights_connection_string = azurerm_application_insights.this.connection_string
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    http2_enabled                          = true
    ip_restriction_default_action          = length(var.api_allowed_ips) > 0 ? "Deny" : "Allow"

    dynamic "ip_restriction" {
      for_each = var.api_allowed_ips
      content {
        name       = "allowed-${replace(ip_restriction.value, "/[./]/", "-")}"
        ip_address = ip_restriction.value
        action     = "Allow"
      }
    }
  }

  # Without the roles, or the names inside the network, the first start fails, and with it the deployment.
  depends_on = [
    azurerm_role_assignment.app,
    azurerm_private_endpoint.this,
    azurerm_private_dns_zone_virtual_network_link.this,
  ]
}

resource "azurerm_linux_function_app" "this" {
  count               = local.flex ? 0 : 1
  name                = "func-${local.base}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  service_plan_id     = azurerm_service_plan.this.id

  storage_account_name          = azurerm_storage_account.runtime.name
  storage_uses_managed_identity = true
  # The content share of Azure Files knows no identity, only keys.
  content_share_force_disabled = true
  # The dashboard of version 1; Application Insights is what there is.
  builtin_logging_enabled = false

  functions_extension_version                    = "~4"
  https_only                                     = true
  ftp_publish_basic_authentication_enabled       = false
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = local.app_subnet_id
  app_settings                                   = local.app_settings
  tags                                           = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  site_config {
    application_insights_connection_string = azurerm_application_insights.this.connection_string
    app_scale_limit                        = local.consumption ? min(var.maximum_instances, 100) : null
    elastic_instance_minimum               = local.premium ? 1 : null
    runtime_scale_monitoring_enabled       = local.premium ? var.private_networking : null
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    ftps_state                             = "Disabled"
    http2_enabled                          = true
    ip_restriction_default_action          = length(var.api_allowed_ips) > 0 ? "Deny" : "Allow"

    application_stack {
      python_version = var.python_version
    }

    dynamic "ip_restriction" {
      for_each = var.api_allowed_ips
      content {
        name       = "allowed-${replace(ip_restriction.value, "/[./]/", "-")}"
        ip_address = ip_restriction.value
        action     = "Allow"
      }
    }
  }

  depends_on = [
    azurerm_role_assignment.app,
    azurerm_private_endpoint.this,
    azurerm_private_dns_zone_virtual_network_link.this,
  ]
}
