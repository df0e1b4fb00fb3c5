# Who is told, and of what. The queries read what comboi sends to Application Insights when a run ends (docs/operations.md):
# a request per run, a dependency per attempt that failed, a metric per table; and the app's own log lines.

locals {
  alerts_on = length(var.alert_emails) > 0

  # When a run ended. It is sent then, and with it every attempt; but all of them bear the time at which they began, so
  # that a rule has to look back over the longest run: two days, the most that Azure Monitor allows.
  ended          = "timestamp + duration * 1ms"
  expected_hours = coalesce(var.expected_run_hours, 47)

  # A query gives one row with the column `found`. A rule fires when it is above `above`, or where that is null, at zero.
  alerts = {
    run-failed = {
      severity    = 1
      description = "A run failed, in whole or in part. Its record names what failed and the remedy: comboi status."
      window      = "P2D"
      frequency   = "PT5M"
      above       = 0
      query       = <<-KQL
        requests
        | where ${local.ended} > ago(20m)
        | where name startswith "run " and isnotempty(customDimensions.pipeline)
        | where resultCode in ("failed", "partial")
        | summarize found = count()
      KQL
    }
    run-missing = {
      severity    = 1
      description = "No run has ended for ${local.expected_hours} hours: does the timer fire, does the app start?"
      window      = "P2D"
      frequency   = "PT30M"
      above       = null
      query       = <<-KQL
        requests
        | where ${local.ended} > ago(${local.expected_hours}h)
        | where name startswith "run " and isnotempty(customDimensions.pipeline)
        | summarize found = count()
      KQL
    }
    run-not-started = {
      severity    = 1
      description = "The timer fired and no run could start: the configuration, or the lake, cannot be used."
      window      = "PT30M"
      frequency   = "PT15M"
      above       = 0
      query       = <<-KQL
        traces
        | where message startswith "scheduled run not started"
        | summarize found = count()
      KQL
    }
    table-stale = {
      severity    = 2
      description = "A table's last good load is more than ${var.stale_hours} hours old, although runs end."
      window      = "P2D"
      frequency   = "PT30M"
      above       = 0
      query       = <<-KQL
        customMetrics
        | where name == "comboi.freshness_seconds"
        | summarize arg_max(timestamp, value) by item = tostring(customDimensions.item)
        | where value > ${var.stale_hours} * 3600
        | summarize found = count()
      KQL
    }
    retries = {
      severity    = 3
      description = "More than ${var.retries_per_hour} attempts failed and were made again, in runs that ended within an hour: is a source or the lake overloaded?"
      window      = "P2D"
      frequency   = "PT15M"
      above       = var.retries_per_hour
      query       = <<-KQL
        dependencies
        | where type == "comboi attempt"
        | join kind=inner (requests | where ${local.ended} > ago(1h) | distinct operation_Id) on operation_Id
        | summarize found = count()
      KQL
    }
  }
}

resource "azurerm_monitor_action_group" "this" {
  count               = local.alerts_on ? 1 : 0
  name                = "ag-${local.base}"
  resource_group_name = azurerm_resource_group.this.name
  short_name          = substr(var.name, 0, 12)
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = var.alert_emails
    content {
      name                    = email_receiver.key
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each             = { for name, alert in local.alerts : name => alert if local.alerts_on && (name != "run-missing" || var.expected_run_hours != null) }
  name                 = "alert-${each.key}-${local.base}"
  resource_group_name  = azurerm_resource_group.this.name
  location             = azurerm_resource_group.this.location
  description          = each.value.description
  scopes               = [azurerm_application_insights.this.id]
  severity             = each.value.severity
  window_duration      = each.value.window
  evaluation_frequency = each.value.frequency
  # The tables come into being with the first run.
  skip_query_validation   = true
  auto_mitigation_enabled = true
  tags                    = local.tags

  criteria {
    query                   = each.value.query
    metric_measure_column   = "found"
    time_aggregation_method = "Total"
    operator                = each.value.above == null ? "LessThan" : "GreaterThan"
    threshold               = each.value.above == null ? 1 : each.value.above
  }

  action {
    action_groups = azurerm_monitor_action_group.this[*].id
  }
}
