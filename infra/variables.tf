# What the environment is.

variable "subscription_id" {
  description = "The subscription that everything is made in."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "A subscription's id is a GUID in lower case; `az account show --query id --output tsv` prints it."
  }
}

variable "name" {
  description = "Beginning of every resource's name: 2 to 10 lower-case letters and digits, a letter first."
  type        = string
  default     = "comboi"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.name))
    error_message = "Write 2 to 10 lower-case letters and digits, a letter first: names of storage accounts allow no more."
  }
}

variable "environment" {
  description = "The environment, part of every name: 2 to 6 lower-case letters and digits, as dev or prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{2,6}$", var.environment))
    error_message = "Write 2 to 6 lower-case letters and digits, as dev or prod."
  }
}

variable "location" {
  description = "The region, in its short form: westeurope, swedencentral. Flex Consumption is not offered in every region."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "Write the region's short name, without blanks: westeurope."
  }
}

variable "tags" {
  description = "Tags put on every resource beside application, environment and managed_by."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.tags) <= 40
    error_message = "Azure takes 50 tags per resource; three of them are set here."
  }
}

# The function app.

variable "plan" {
  description = "Hosting plan: flex (Flex Consumption, the default), consumption (Linux Consumption), premium (Elastic Premium)."
  type        = string
  default     = "flex"

  validation {
    condition     = contains(["flex", "consumption", "premium"], var.plan)
    error_message = "The plan is flex, consumption or premium."
  }
}

variable "premium_sku" {
  description = "Size of the instances on Elastic Premium: EP1 (3.5 GB), EP2 (7 GB), EP3 (14 GB)."
  type        = string
  default     = "EP1"

  validation {
    condition     = contains(["EP1", "EP2", "EP3"], var.premium_sku)
    error_message = "The size is EP1, EP2 or EP3."
  }
}

variable "python_version" {
  description = "Python of the function app. Not 3.11: the wheel of mssql-python 1.16 wants a newer C library than that image may have."
  type        = string
  default     = "3.12"

  validation {
    condition     = contains(["3.12", "3.13"], var.python_version)
    error_message = "The version is 3.12 or 3.13."
  }

  validation {
    condition     = var.plan != "consumption" || var.python_version == "3.12"
    error_message = "Linux Consumption gets no new versions of languages: 3.12 is its last."
  }
}

variable "instance_memory_mb" {
  description = "Memory of a Flex Consumption instance in MB: 512, 2048 or 4096. It decides how many activities run at once."
  type        = number
  default     = 2048

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory_mb)
    error_message = "Flex Consumption has instances of 512, 2048 and 4096 MB."
  }
}

variable "activities_per_instance" {
  description = "Activities that an instance works on at once; null fits it to the plan's memory (docs/deploy.md)."
  type        = number
  default     = null

  validation {
    condition     = var.activities_per_instance == null ? true : var.activities_per_instance >= 1 && var.activities_per_instance <= 16
    error_message = "Between 1 and 16: every activity opens a DuckDB with a memory limit of its own."
  }
}

variable "maximum_instances" {
  description = "Most instances that the app scales out to; 40 to 1000 on Flex Consumption. It bounds the bill and the load on sources."
  type        = number
  default     = 40

  validation {
    condition     = var.maximum_instances >= 1 && var.maximum_instances <= 1000
    error_message = "Between 1 and 1000."
  }

  validation {
    condition     = var.plan != "flex" || var.maximum_instances >= 40
    error_message = "Flex Consumption scales out to 40 instances at least."
  }
}

variable "always_ready_durable" {
  description = "Flex Consumption: instances of the durable functions that never sleep. 1 spares a run's activities the cold start."
  type        = number
  default     = 0

  validation {
    condition     = var.always_ready_durable >= 0 && var.always_ready_durable <= 20
    error_message = "Between 0 and 20."
  }
}

variable "schedule" {
  description = "When runs start: NCRONTAB with six fields, in UTC, seconds first. 0 0 * * * * is every full hour."
  type        = string
  default     = "0 0 2 * * *"

  validation {
    condition     = length(split(" ", var.schedule)) == 6 && can(regex("^[0-9A-Za-z*/, -]+$", var.schedule))
    error_message = "Write six fields separated by one blank each: second, minute, hour, day, month, day of the week."
  }
}

variable "config_file" {
  description = "The pipeline's configuration within the deployed package."
  type        = string
  default     = "configs/initial.yml"

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_./-]*\\.ya?ml$", var.config_file)) && !strcontains(var.config_file, "..")
    error_message = "A path of a YAML file relative to the package's root, as configs/initial.yml."
  }
}

variable "app_settings" {
  description = "Further app settings, for {{env:NAME}} in the configuration. No secrets: these belong into the vault, as {{keyvault:NAME}}."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.app_settings) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("^(AZUREWEBJOBS|FUNCTIONS_|WEBSITE_|APPLICATIONINSIGHTS_|COMBOI_|AZURE_CLIENT_ID)", name))])
    error_message = "Names are capitals, digits and _; those of the platform and COMBOI_* are set by this module."
  }
}

# The lake.

variable "lake_replication" {
  description = "Replication of the lake: LRS, GRS, RAGRS; or ZRS, GZRS, RAGZRS. Choose the group for good: to change it, the account is made anew."
  type        = string
  default     = "ZRS"

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], var.lake_replication)
    error_message = "The replication is LRS, ZRS, GRS, RAGRS, GZRS or RAGZRS."
  }
}

variable "soft_delete_days" {
  description = "Days that deleted files and containers of the lake can be restored. An erasure is complete only after them."
  type        = number
  default     = 7

  validation {
    condition     = var.soft_delete_days >= 1 && var.soft_delete_days <= 365
    error_message = "Between 1 and 365 days."
  }
}

variable "run_files_cool_after_days" {
  description = "Days after which run records move to the cool tier; they are read seldom. Data is not moved: runs read it."
  type        = number
  default     = 30

  validation {
    condition     = var.run_files_cool_after_days >= 1 && var.run_files_cool_after_days <= 3650
    error_message = "Between 1 and 3650 days."
  }
}

variable "reader_object_ids" {
  description = "Entra object ids (users or groups) that may read silver and gold."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.reader_object_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "Object ids are GUIDs in lower case."
  }
}

# Vault.

variable "operator_object_ids" {
  description = "Entra object ids that may write the vault's secrets and, off Flex Consumption, the app's package; without any, nobody can."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.operator_object_ids : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "Object ids are GUIDs in lower case."
  }
}

# Network.

variable "private_networking" {
  description = "Reach storage and vault through private endpoints only; flex (premium: see docs/deploy.md). Sources in the network become reachable."
  type        = bool
  default     = false

  validation {
    condition     = !var.private_networking || var.plan != "consumption"
    error_message = "Linux Consumption cannot join a virtual network; take flex or premium."
  }
}

variable "address_space" {
  description = "The virtual network's addresses, /24 or larger; the function app and the endpoints get a quarter each."
  type        = string
  default     = "10.60.0.0/24"

  validation {
    condition     = can(cidrhost(var.address_space, 0)) && can(regex("^(10|172\\.(1[6-9]|2[0-9]|3[01])|192\\.168)\\..*/(1[6-9]|2[0-4])$", var.address_space))
    error_message = "Write a private network (RFC 1918) between /16 and /24, as 10.60.0.0/24: the app routes nothing else into it."
  }
}

variable "allowed_ips" {
  description = "With private networking: public IPv4 addresses or ranges from which people reach lake and vault all the same."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for ip in var.allowed_ips : can(regex("^[0-9]{1,3}(\\.[0-9]{1,3}){3}(/([0-9]|[12][0-9]|30))?$", ip)) && ip != "0.0.0.0/0"])
    error_message = "IPv4 addresses or ranges up to /30, not the whole internet."
  }
}

variable "api_allowed_ips" {
  description = "IPv4 ranges (CIDR) from which the HTTP API can be called; empty: from everywhere, with a function key."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for ip in var.api_allowed_ips : can(cidrhost(ip, 0))])
    error_message = "Write ranges with their mask: 203.0.113.7/32."
  }
}

# Watching.

variable "alert_emails" {
  description = "Who is told of failed runs, missing runs, stale tables, retries and the budget; by name."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for email in values(var.alert_emails) : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "Write name = e-mail address, as data-team = \"data@example.com\"."
  }
}

variable "expected_run_hours" {
  description = "Alert when no run has ended for so many hours: the schedule's interval plus what a run takes. At most 47; null for rarer runs: no alert."
  type        = number
  default     = 26

  validation {
    condition     = var.expected_run_hours == null ? true : var.expected_run_hours >= 1 && var.expected_run_hours <= 47 && floor(var.expected_run_hours) == var.expected_run_hours
    error_message = "Whole hours between 1 and 47, or null: Azure Monitor looks back two days at most."
  }
}

variable "stale_hours" {
  description = "Alert when a table's last good load is older than so many hours at the end of a run."
  type        = number
  default     = 30

  validation {
    condition     = var.stale_hours > 0
    error_message = "More than 0 hours."
  }
}

variable "retries_per_hour" {
  description = "Alert when more attempts than this failed and were made again in the runs that ended within an hour."
  type        = number
  default     = 20

  validation {
    condition     = var.retries_per_hour >= 1
    error_message = "At least 1."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept: 30 to 730."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 30 && var.log_retention_days <= 730
    error_message = "Between 30 and 730 days."
  }
}

variable "log_daily_quota_gb" {
  description = "Most GB of logs a day; what comes after is dropped. -1 sets no limit."
  type        = number
  default     = 1

  validation {
    condition     = var.log_daily_quota_gb == -1 || var.log_daily_quota_gb >= 0.1
    error_message = "-1, or at least 0.1 GB."
  }
}

variable "monthly_budget" {
  description = "Budget of the resource group per month, in the subscription's currency; alert_emails hear of 80 % and 100 %."
  type        = number
  default     = 100

  validation {
    condition     = var.monthly_budget > 0
    error_message = "More than 0."
  }
}
