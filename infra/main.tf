# Names, and the resource group that holds everything.

data "azurerm_client_config" "current" {}

locals {
  # Storage accounts, vaults and apps share one name space with the whole world. A suffix that follows from the
  # subscription keeps names unique and stays the same from plan to plan.
  suffix = substr(sha1("${var.subscription_id}/${var.name}/${var.environment}"), 0, 6)
  base   = "${var.name}-${var.environment}-${local.suffix}"
  packed = "${var.name}${var.environment}${local.suffix}"

  flex        = var.plan == "flex"
  premium     = var.plan == "premium"
  consumption = var.plan == "consumption"

  tags = merge({ application = var.name, environment = var.environment, managed_by = "terraform" }, var.tags)
}

resource "azurerm_resource_group" "this" {
  name     = "rg-${local.base}"
  location = var.location
  tags     = local.tags
}
