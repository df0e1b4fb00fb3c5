# A small environment: nothing runs between runs, a bill of a few units of currency a month.
environment = "dev"
location    = "westeurope"

plan               = "flex"
instance_memory_mb = 2048
schedule           = "0 0 6 * * *"
lake_replication   = "LRS"
soft_delete_days   = 1
monthly_budget     = 25
log_retention_days = 30
log_daily_quota_gb = 0.5
