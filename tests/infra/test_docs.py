"""The page about Azure names what there is: settings and their values, outputs and variables of Terraform."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from comboi_core.app.loader import load
from comboi_core.devtools.scaffold.project import new_project
from tests.infra.terraform import ROOT, SUBSCRIPTION, infra

DEPLOY = (ROOT / "docs" / "deploy.md").read_text()


def leaves(value: Any, key: str = "") -> dict[str, Any]:
    """Return every key of host.json that has no further keys below it."""
    if not isinstance(value, dict):
        return {key: value}
    return {name: leaf for inner, item in value.items() for name, leaf in leaves(item, inner).items()}


HOST = leaves(json.loads((ROOT / "host.json").read_text()))


@pytest.mark.parametrize("key", [key for key, value in HOST.items() if type(value) is int or key == "functionTimeout"])
def test_each_number_of_host_json_is_explained_with_its_value(key):
    row = re.search(rf"^\| `{key}` \| `([^`]*)` \| (.*) \|$", DEPLOY, re.MULTILINE)
    assert row and row[1] == str(HOST[key])
    assert len(row[2]) > 60


def test_no_number_is_explained_that_host_json_does_not_have():
    assert set(re.findall(r"^\| `(\w+)` \| `[^`]*` \|", DEPLOY, re.MULTILINE)) <= set(HOST)


def test_activities_and_memory_limits_of_the_guide_fit_the_instances():
    rows = re.findall(r"^\| \**Flex (\d+) MB[^|]*\| (\d+) \| (\d+)(MB|GB) \|", DEPLOY, re.MULTILINE)
    assert {int(row[0]) for row in rows} == {2048, 4096}
    for memory, activities, limit, unit in rows:
        limit_mb = int(limit) * (1024 if unit == "GB" else 1)
        assert int(activities) * (limit_mb + 100) + 400 < int(memory)


@pytest.mark.parametrize(
    ("memory", "activities"), re.findall(r"^\| \**Flex (\d+) MB[^|]*\| (\d+) \|", DEPLOY, re.MULTILINE)
)
def test_the_guide_s_activities_are_terraform_s(memory, activities, evaluated):
    found = evaluated("local.activities", environment="dev", location="westeurope", instance_memory_mb=int(memory))
    assert str(found) == activities


def test_outputs_that_the_deployment_asks_for_exist():
    asked = set(re.findall(r"output -raw (\w+)", DEPLOY))
    assert asked and asked <= set(infra().outputs)


def test_the_page_counts_what_an_apply_adds(evaluated):
    told = [
        int(number) for number in re.search(r"Resources: (\d+) added` \((\d+) with .*?, (\d+) with", DEPLOY).groups()
    ]
    terms = []
    for body in (block.body for block in infra().blocks if not block.kind.startswith("data.")):
        found = body.get("count") or body.get("for_each") or "1"
        bare = found.removeprefix("${").removesuffix("}")
        terms.append(f"length({bare})" if "for_each" in body else bare)
    total = f"sum([{', '.join(terms)}])"
    values = {"environment": "t1", "location": "westeurope", "operator_object_ids": [SUBSCRIPTION]}
    alerts = values | {"alert_emails": {"team": "team@example.com"}}
    private = alerts | {"private_networking": True}
    assert told == [evaluated(total, **given) for given in (values, alerts, private)]


def test_the_configuration_of_the_deployment_page_is_valid_and_loads(tmp_path):
    new_project(tmp_path, "files")
    config = tmp_path / "configs" / "initial.yml"
    block = next(block for block in re.findall(r"```yaml\n(.*?)```", DEPLOY, re.DOTALL) if "stages:" in block)
    theirs = yaml.safe_load(config.read_text())
    theirs.pop("monitoring", None)
    config.write_text(yaml.safe_dump(theirs | yaml.safe_load(block)))
    stages = load(config).pipeline_file.stages
    assert {stages.bronze.data_lake.file_system, stages.gold.data_lake.file_system} == {"bronze", "gold"}
    assert "DATA_LAKE_ACCOUNT_NAME" in infra().locals["comboi_settings"]


def test_variables_that_the_deployment_names_exist():
    named = set(re.findall(r"TF_VAR_(\w+)", DEPLOY)) | set(re.findall(r"`(\w+) = ", DEPLOY))
    assert named and named <= set(infra().variables)
