# What the resource group may cost in a month before somebody hears of it; nothing is stopped.

resource "azurerm_consumption_budget_resource_group" "this" {
  count             = length(var.alert_emails) > 0 ? 1 : 0
  name              = "monthly"
  resource_group_id = azurerm_resource_group.this.id
  amount            = var.monthly_budget
  time_grain        = "Monthly"

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00'Z'", plantimestamp())
  }

  notification {
    operator       = "GreaterThanOrEqualTo"
    threshold      = 80
    threshold_type = "Actual"
    contact_emails = values(var.alert_emails)
  }

  notification {
    operator       = "GreaterThanOrEqualTo"
    threshold      = 100
    threshold_type = "Forecasted"
    contact_emails = values(var.alert_emails)
  }

  # The start lies in the month of the first apply; later plans keep it.
  lifecycle {
    ignore_changes = [time_period]
  }
}
