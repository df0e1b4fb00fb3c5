"""The validations of variables, evaluated by terraform itself: the examples pass, hostile values do not."""

from __future__ import annotations

import re

import pytest

from tests.infra.terraform import INFRA, Refused, evaluate, infra, terraform

pytestmark = pytest.mark.few(2)

PLAIN = {"environment": "dev", "location": "westeurope"}
REFUSED = [
    ("subscription_id", "not-a-guid"),
    ("name", "Comboi"),
    ("name", "a-b"),
    ("name", "toolongforstorage"),
    ("environment", "production"),
    ("environment", ""),
    ("location", "West Europe"),
    ("premium_sku", "P1v3"),
    ("python_version", "3.11"),
    ("instance_memory_mb", 1024),
    ("activities_per_instance", 0),
    ("activities_per_instance", 17),
    ("maximum_instances", 1001),
    ("maximum_instances", 39),  # second, beside the default plan: it is too few on Flex Consumption only
    ("always_ready_durable", -1),
    ("schedule", "0 2 * * *"),
    ("schedule", "0 0 2 * * *; drop"),
    ("schedule", "00:05:00"),
    ("config_file", "../secrets.yml"),
    ("config_file", "/etc/passwd"),
    ("config_file", "configs/initial.json"),
    ("app_settings", {"AZUREWEBJOBSSTORAGE": "x"}),
    ("app_settings", {"COMBOI_CONFIG": "x"}),
    ("app_settings", {"lower": "x"}),
    ("lake_replication", "XRS"),
    ("soft_delete_days", 0),
    ("run_files_cool_after_days", 0),
    ("reader_object_ids", ["someone@example.com"]),
    ("operator_object_ids", ["someone"]),
    ("address_space", "10.0.0.0/25"),
    ("address_space", "ten"),
    ("address_space", "20.60.0.0/24"),
    ("address_space", "172.32.0.0/16"),
    ("allowed_ips", ["0.0.0.0/0"]),
    ("allowed_ips", ["10.0.0.1/32"]),
    ("api_allowed_ips", ["203.0.113.7"]),
    ("alert_emails", {"team": "nobody"}),
    ("expected_run_hours", 48),
    ("expected_run_hours", 1.5),
    ("stale_hours", 0),
    ("retries_per_hour", 0),
    ("log_retention_days", 7),
    ("log_daily_quota_gb", 0),
    ("monthly_budget", 0),
]
EXAMPLES = sorted((INFRA / "environments").glob("*.tfvars"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_environments_are_valid(example, evaluated):
    assert evaluated("var.environment", var_file=example) == example.stem


def test_there_are_two_examples():
    assert [path.stem for path in EXAMPLES] == ["dev", "prod"]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory) -> list[str]:
    """What terraform says to the first bad value of each variable, to the second, and so on: it reports all at once."""
    if not terraform():
        pytest.skip("no terraform binary that can read the module on this machine")
    told = []
    for turn in range(max(_turn(position) for position in range(len(REFUSED))) + 1):
        bad = {name: value for position, (name, value) in enumerate(REFUSED) if _turn(position) == turn}
        with pytest.raises(Refused) as refused:
            evaluate(tmp_path_factory.mktemp("refused"), PLAIN | bad, "true")
        told.append(" ".join(str(refused.value).split()))
    return told


def _turn(position: int) -> int:
    """Return how many bad values of the same variable come before this one."""
    name, _ = REFUSED[position]
    return sum(earlier == name for earlier, _ in REFUSED[:position])


@pytest.mark.parametrize("position", range(len(REFUSED)), ids=lambda position: str(REFUSED[position])[:40])
def test_a_bad_value_is_refused_by_name(position, refusals):
    name, _ = REFUSED[position]
    messages = [rule["error_message"] for rule in infra().variables[name]["validation"]]
    told = refusals[_turn(position)]
    assert re.search(rf"\bvar\.{name}\b", told)
    assert any(message[:20] in told for message in messages)


def test_every_validated_variable_has_a_bad_value_here():
    validated = {name for name, variable in infra().variables.items() if variable.get("validation")}
    assert validated - {name for name, _ in REFUSED} <= {"tags", "private_networking", "plan"}


def test_a_plan_that_there_is_not_is_refused(evaluated):  # by itself: rules that look at the plan are skipped then
    with pytest.raises(Refused, match="The plan is flex, consumption or premium"):
        evaluated("true", **PLAIN, plan="dedicated")


def test_linux_consumption_cannot_join_a_network(evaluated):
    with pytest.raises(Refused, match="cannot join a virtual network"):
        evaluated("true", **PLAIN, plan="consumption", private_networking=True)


def test_linux_consumption_has_no_newer_python(evaluated):
    with pytest.raises(Refused, match="3.12 is its last"):
        evaluated("true", **PLAIN, plan="consumption", python_version="3.13")


@pytest.mark.parametrize("network", ["10.60.0.0/24", "172.31.0.0/16", "192.168.4.0/23"])
def test_private_networks_are_taken(network, evaluated):
    assert evaluated("cidrsubnet(var.address_space, 2, 1)", **PLAIN, address_space=network)


@pytest.mark.parametrize("plan", ["flex", "consumption", "premium"])
def test_names_keep_to_the_limits_of_azure(plan, evaluated):
    longest = {"environment": "longen", "location": "westeurope", "name": "abcdefghij", "plan": plan}
    packed, base = evaluated("[local.packed, local.base]", **longest)
    assert len(f"{packed}rt") <= 24 and packed.isalnum()  # storage account, and kv + packed
    assert len(f"func-{base}") <= 32  # beyond, apps that share an account could take each other's host id
    assert len(f"id-{base}") <= 128


@pytest.mark.parametrize(
    ("values", "activities"),
    [
        ({"instance_memory_mb": 512}, "1"),
        ({"instance_memory_mb": 2048}, "2"),
        ({"instance_memory_mb": 4096}, "3"),
        ({"plan": "consumption"}, "1"),
        ({"plan": "premium"}, "2"),
        ({"plan": "premium", "premium_sku": "EP2"}, "5"),
        ({"plan": "premium", "premium_sku": "EP3"}, "10"),
        ({"activities_per_instance": 4}, "4"),
    ],
)
def test_activities_fit_the_memory_of_an_instance(values, activities, evaluated):
    key = "AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions"
    assert evaluated(f"local.app_settings.{key}", **PLAIN | values) == activities
