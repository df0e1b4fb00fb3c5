"""Whole runs over files in a container: the partner writes to Azurite, and the lake is there as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.doubles.azurite import Azurite
from tests.support.azure_files import Incoming
from tests.support.project import Project

KEY, LAKE_KEY = "PARTNER_KEY", "LAKE_KEY"


@pytest.fixture
def incoming(storage: Azurite) -> Incoming:
    made = Incoming.make(storage, "drop zone")
    made.put("orders/2026/01.csv", "order_id,amount\n" + "".join(f"{n},{n}.10\n" for n in range(500)))
    made.put("customers/a.jsonl", '{"customer_id": 1, "name": "nåme"}\n{"customer_id": 2, "name": "two"}\n')
    return made


@pytest.fixture
def project(tmp_path: Path, storage: Azurite, incoming: Incoming) -> Project:
    made = Project(tmp_path / "project", {KEY: storage.key, LAKE_KEY: storage.key})
    (made.folder / "configs").mkdir(parents=True)
    (made.folder / "transformations").mkdir()
    place = {"account_url": storage.endpoint, "file_system": incoming.name}
    keys = {name: {"credential": f"{{{{env:{name}}}}}"} for name in (KEY, LAKE_KEY)}
    tables = [
        {"name": "orders", "path": "orders/**/*.csv", "types": {"amount": "DECIMAL(12,2)"}},
        {"name": "customers", "path": "customers/*.jsonl", "primary_key": ["customer_id"]},
    ]
    pipeline = {
        "pipeline": "partner",
        "engine": {"memory_limit": "512MB", "threads": 2},
        "retry": {"attempts": 2, "first_delay": "0.1s"},
        "sources": [
            {
                "name": "partner",
                "type": "files",
                "connection": place | keys[KEY] | {"folder": incoming.folder},
                "tables": tables,
            }
        ],
        # The same container, below another folder: the lake's secret in DuckDB and the source's stay apart.
        "stages": {
            stage: {"data_lake": place | keys[LAKE_KEY] | {"folder": f"lake/{stage}"}}
            for stage in ("bronze", "silver", "gold")
        },
        "monitoring": {"log_path": "logs/comboi.log"},
    }
    made.write("configs/initial.yml", yaml.safe_dump(pipeline, sort_keys=False))
    orders = {"name": "orders_known", "inputs": [{"alias": "orders", "source": "partner", "table": "orders"}]}
    made.write("configs/transformations.yml", yaml.safe_dump({"silver": [orders]}))
    made.write("transformations/orders_known.sql", "SELECT order_id, amount, _file FROM orders\n")
    return made


def rows(project: Project, *arguments: str, **extra: str) -> dict[str, int]:
    return {item["table"]: item["rows"] for item in project.run(*arguments, **extra)["tables"]}


@pytest.mark.slow
def test_runs_land_what_is_new_changed_or_late_and_nothing_twice(project, incoming, storage):
    assert rows(project, COMBOI_LOG="debug") == {"orders": 500, "customers": 2}
    incoming.put("orders/2026/02.csv", "amount,order_id\n7.50,1000\n")
    incoming.put("customers/a.jsonl", '{"customer_id": 2, "name": "changed"}\n')
    twice = {"DURABLE_LOCAL_FAULTS": "double_activities,replay_twice"}
    assert rows(project, **twice) == {"orders": 1, "customers": 1}
    assert rows(project) == {"orders": 0, "customers": 0}

    found = project.contents()
    assert len(found["partner.orders"]) == 501
    assert {row[2] for row in found["orders_known"]} == {"orders/2026/01.csv", "orders/2026/02.csv"}
    assert sorted(row[:2] for row in found["partner.customers"]) == [(1, "nåme"), (2, "changed")]

    lake = project.lake("bronze")
    written = [path.read_bytes() for path in project.folder.rglob("*") if path.is_file()]
    written += [lake.read(path) for path in lake.list("") if path.endswith(".json")]
    assert len(written) > 10 and not [text for text in written if storage.key.encode() in text]


@pytest.mark.slow
def test_what_the_partner_did_wrong_is_told_with_file_and_line(project, incoming):
    rows(project, "bronze")
    incoming.put("orders/bad.csv", "order_id,amount\n1,1.00\n2,1.005\n")
    done = project.comboi("run", "bronze", "--json")
    errors = [item["error"] for item in json.loads(done.stdout)["tables"] if item.get("error")]
    assert done.returncode == 1 and [error["code"] for error in errors] == ["unsupported_value"]
    assert "partner.orders: orders/bad.csv, line 3: column amount holds '1.005'" in errors[0]["message"]

    project.edit("configs/initial.yml", "folder: drop zone", "folder: drop zone/nowhere")
    done = project.comboi("run", "bronze")
    assert done.returncode == 1 and "`connection.folder` was 'drop zone', is 'drop zone/nowhere'" in done.stdout
    done = project.comboi("run", "bronze", "--full-refresh")
    assert done.returncode == 1 and "no file matches" in done.stdout + done.stderr


def test_a_wrong_key_and_a_missing_container_are_told_without_the_key(project, incoming, storage):
    wrong = project.env[KEY] = "A" * 86 + "=="
    done = project.comboi("run", "bronze")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1 and "answers 403" in said and storage.endpoint in said and "Check the key" in said
    assert wrong not in said and storage.key not in said

    project.env[KEY] = storage.key
    key = f"credential: '{{{{env:{KEY}}}}}'"
    project.edit("configs/initial.yml", f"{incoming.name}\n    {key}", f"never-made\n    {key}")
    done = project.comboi("run", "bronze")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1 and "never-made" in said and "ContainerNotFound" in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("folder: drop zone", "path: incoming", "give exactly one of path:, account_name:"),
        ("folder: drop zone", "foldr: drop zone", "unknown key 'foldr'"),
        ("folder: drop zone", "sas_token: x", "give credential: or sas_token:, not both"),
        ("orders/**/*.csv", "orders/**.csv", "stand alone between slashes"),
    ],
)
def test_mistakes_in_the_configuration_are_named(project, old, new, says):
    from comboi_core.app.loader import load
    from comboi_core.domain.errors import ConfigError

    project.edit("configs/initial.yml", old, new)
    with pytest.raises(ConfigError, match=r"initial\.yml:\d+: ") as caught:
        load(project.folder / "configs" / "initial.yml")
    assert says in caught.value.message
