# An environment for daily work: private, an instance that never sleeps, hourly runs.
environment = "prod"
location    = "westeurope"

plan                 = "flex"
instance_memory_mb   = 4096
maximum_instances    = 40
always_ready_durable = 1
schedule             = "0 0 * * * *"

private_networking = true
address_space      = "10.60.0.0/24"
# From where people put secrets into the vault (docs/deploy.md, step 3), and look into the lake.
# allowed_ips      = ["203.0.113.7"]

lake_replication   = "ZRS"
soft_delete_days   = 14
monthly_budget     = 400
expected_run_hours = 3
stale_hours        = 6
log_retention_days = 90
log_daily_quota_gb = 5
alert_emails = {
  data-team = "data-team@example.com"
}
