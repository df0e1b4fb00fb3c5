"""App settings: whatever the code reads is set, and whatever is set is read by somebody."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.terraform import ROOT, infra

RUNS_IN_AZURE = ("function_app.py", "activities", "entities", "orchestrators", "comboi_core")
NOT_IN_AZURE = ("comboi_core/cli", "comboi_core/bruin/run")
"""The command line; and assets, whose variables comboi sets itself around each script."""

LOCAL_ONLY = {"COMBOI_LAKE_ROOT": "where local lakes lie; in Azure the lake is an account"}
"""Read by the code, but of use on a laptop only."""

OTHERS = {
    "AzureWebJobsStorage": "Functions runtime",
    "AzureWebJobsStorage__accountName": "Functions runtime",
    "AzureWebJobsStorage__credential": "Functions runtime",
    "AzureWebJobsStorage__clientId": "Functions runtime",
    "AzureWebJobsStorage__blobServiceUri": "Functions runtime",
    "AzureWebJobsStorage__queueServiceUri": "Durable Functions",
    "AzureWebJobsStorage__tableServiceUri": "Durable Functions",
    "AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions": "host.json",
    "AzureFunctionsJobHost__functionTimeout": "host.json",
    "WEBSITE_RUN_FROM_PACKAGE": "Functions platform",
    "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID": "Functions platform",
    "PYTHON_THREADPOOL_THREAD_COUNT": "Functions worker",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "opencensus",
    "AZURE_CLIENT_ID": "azure-identity",
    "DATA_LAKE_ACCOUNT_NAME": "{{env:DATA_LAKE_ACCOUNT_NAME}} in a configuration: docs/deploy.md",
    "KEY_VAULT_URL": "{{env:KEY_VAULT_URL}} in a configuration: docs/deploy.md",
}
"""Settings that somebody else reads."""

BY_THE_PROVIDER = {"APPLICATIONINSIGHTS_CONNECTION_STRING"}
"""Set by `site_config.application_insights_connection_string`."""

BY_THE_PLATFORM = {"IDENTITY_ENDPOINT"}
"""Set in every app that has a managed identity."""


def _files() -> Iterator[Path]:
    for place in RUNS_IN_AZURE:
        found = ROOT / place
        for file in [found] if found.is_file() else sorted(found.rglob("*.py")):
            if not any(file.is_relative_to(ROOT / folder) for folder in NOT_IN_AZURE):
                yield file


def _read_by_the_code() -> set[str]:
    names: set[str] = set()
    for file in _files():
        text = file.read_text()
        names |= set(re.findall(r"%([A-Z][A-Z0-9_]+)%", text))
        tree = ast.parse(text)
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            names |= set(_environment_read(node, constants))
    return names


def _environment_read(node: ast.AST, constants: dict[str, Any]) -> Iterator[str]:
    """Yield the name in `os.environ["X"]`, `os.environ.get("X")`, `os.getenv("X")`; X may be a constant's name."""
    subject = first = None
    if isinstance(node, ast.Subscript):
        subject, first = ast.unparse(node.value), node.slice
    elif isinstance(node, ast.Call) and node.args:
        subject, first = ast.unparse(node.func), node.args[0]
    readers = ("os.environ", "os.environ.get", "os.environ.setdefault", "os.getenv")
    if subject in readers and isinstance(first, ast.Name) and first.id in constants:
        yield constants[first.id]
    elif subject in readers and isinstance(first, ast.Constant):
        yield first.value


def _set() -> set[str]:
    tables = ("storage_settings", "host_settings", "package_settings", "worker_settings", "comboi_settings")
    text = infra().texts["settings.tf"]
    for table in tables:
        assert f"local.{table}," in text
    assigned = set(re.findall(r"(?:^|\{)\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*[^=]", text, re.MULTILINE))
    return {name for name in assigned if name not in infra().locals and not name.startswith("EP")}


@pytest.mark.slow
def test_the_code_reads_settings_at_all():
    assert {"COMBOI_CONFIG", "COMBOI_TIMER_SCHEDULE", "APPLICATIONINSIGHTS_CONNECTION_STRING"} <= _read_by_the_code()


@pytest.mark.slow
def test_each_setting_that_the_code_reads_is_set():
    assert _read_by_the_code() - set(LOCAL_ONLY) <= _set() | BY_THE_PROVIDER | BY_THE_PLATFORM


@pytest.mark.slow
def test_each_setting_that_is_set_is_read():
    assert _set() == {name for name in _read_by_the_code() if name in _set()} | set(OTHERS)


def test_settings_that_override_host_json_name_keys_that_it_has():
    document = json.loads((ROOT / "host.json").read_text())
    for name in _set():
        prefix, _, path = name.partition("__")
        if prefix == "AzureFunctionsJobHost":
            value = document
            for key in path.split("__"):
                value = value[key]


def test_nothing_overrides_what_the_scale_controller_reads_from_host_json_alone():
    assert not {name for name in _set() if "hubName" in name or "storageProvider" in name}


def test_host_json_has_no_setting_that_is_not_set():
    assert set(re.findall(r"%([A-Za-z0-9_]+)%", (ROOT / "host.json").read_text())) <= _set()


@pytest.mark.parametrize("plan", ["flex", "consumption", "premium"])
def test_storage_is_reached_by_identity_on_every_plan(plan, evaluated):
    settings = evaluated("local.app_settings", environment="dev", location="westeurope", plan=plan)
    assert settings["AzureWebJobsStorage__credential"] == "managedidentity"
    assert settings["AzureWebJobsStorage__clientId"] == "azurerm_user_assigned_identity.app.client_id"
    assert not any("AccountKey" in value for value in settings.values())
    # Flex: the provider's own value is overruled by an empty one. Elsewhere the provider sets the account's name, and
    # hides it when it reads: set here as well, it would be a change in every plan.
    assert settings.get("AzureWebJobsStorage") == ("" if plan == "flex" else None)
    assert ("AzureWebJobsStorage__accountName" in settings) == (plan == "flex")


@pytest.mark.parametrize("plan", ["flex", "consumption", "premium"])
def test_the_package_is_mounted_from_its_address_by_identity_where_the_plan_does_not_know_it_otherwise(plan, evaluated):
    settings, url = evaluated(
        "[local.app_settings, local.package_url]", environment="dev", location="westeurope", plan=plan
    )
    package = {name: value for name, value in settings.items() if name.startswith(("WEBSITE_", "SCM_", "ENABLE_"))}
    identity = "azurerm_user_assigned_identity.app.id"
    expected = {"WEBSITE_RUN_FROM_PACKAGE": url, "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID": identity}
    assert package == ({} if plan == "flex" else expected)


def test_linux_consumption_gets_a_time_limit_that_it_can_start_with(evaluated):
    settings = evaluated("local.app_settings", environment="dev", location="westeurope", plan="consumption")
    assert settings["AzureFunctionsJobHost__functionTimeout"] == "00:10:00"
    others = evaluated("local.app_settings", environment="dev", location="westeurope", plan="flex")
    assert "AzureFunctionsJobHost__functionTimeout" not in others


def test_settings_of_ones_own_do_not_overrule_the_modules(evaluated):
    own = {"SHOP_HOST": "db.example.com"}
    settings = evaluated("local.app_settings", environment="dev", location="westeurope", app_settings=own)
    assert settings["SHOP_HOST"] == "db.example.com"
    assert settings["COMBOI_CONFIG"] == "/home/site/wwwroot/configs/initial.yml"
