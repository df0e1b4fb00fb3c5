"""Erasing a person whose key is masked, whose lake is in Azure, or whose table has many files."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import duckdb
import pytest
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.doubles.azurite import Azurite
from tests.support.azure import AzureProject
from tests.support.person import KEY, PLANTED, erase, naming, people, plant, without
from tests.support.project import Project, change

SALT = "pepper-and-salt-7431"


def naming_in_lakes(project: Project, text: str) -> list[str]:
    """Return every file of the three lakes with a text in it, Parquet files by their values."""
    found = []
    copy = project.folder / "copy.parquet"
    for stage in ("bronze", "silver", "gold"):
        lake = project.lake(stage)
        for path in lake.list(""):
            copy.write_bytes(data := lake.read(path))
            rows = duckdb.execute("FROM read_parquet(?)", [str(copy)]).fetchall() if path.endswith("parquet") else []
            if text.encode() in data or any(text in str(value) for row in rows for value in row):
                found.append(f"{stage}/{path}")
    copy.unlink()
    return found


@pytest.mark.slow
def test_a_masked_key_is_given_in_clear(tmp_path: Path, database: EmbeddedPostgres):
    plant(database)
    project = people(Project.create(tmp_path / "project", database.uri))
    project.env["COMBOI_TEST_SALT"] = SALT
    settings = yaml.safe_load((project.folder / "configs/initial.yml").read_text())
    settings["masking"] = {"salt": "{{env:COMBOI_TEST_SALT}}"}
    for table in settings["sources"][0]["tables"]:
        if table["name"] in ("orders", "customers"):
            table["mask"] = {"customer_id": "hash"}
    project.write("configs/initial.yml", yaml.safe_dump(settings, sort_keys=False))
    project.run()
    landed = hmac.new(SALT.encode(), KEY.encode(), hashlib.sha256).hexdigest()
    assert naming(project, landed)
    record = erase(project, "shop.customers", "--key", KEY)
    assert (record["tables"][0]["removed"], record["erasure"]["key_hash"]) == (1, "hmac-sha256")
    assert record["erasure"]["keys"] == [landed]
    assert erase(project, "shop.orders", "--key", KEY, "--column", "customer_id")["tables"][0]["removed"] == 2
    assert naming(project, PLANTED) == naming(project, KEY) == []
    assert all(path.startswith("lake/bronze/runs/") for path in naming(project, landed))


@pytest.mark.slow
def test_in_a_lake_in_azure(tmp_path: Path, database: EmbeddedPostgres, storage: Azurite):
    plant(database)
    project = people(AzureProject.make(tmp_path / "project", database.uri, storage))
    project.run()
    change(database)
    project.run("bronze")
    before = project.contents()
    assert len(naming_in_lakes(project, PLANTED)) > 5
    assert erase(project, "shop.customers", "--key", KEY)["tables"][0]["removed"] == 1
    record = erase(project, "shop.orders", "--key", PLANTED, "--column", "status")
    assert record["tables"][0]["removed"] == 2, "the order without a cursor, twice"
    assert naming_in_lakes(project, PLANTED) == []
    after = project.contents()
    assert after["shop.orders"] == [row for row in before["shop.orders"] if PLANTED not in row]
    assert after["appended"] == without(before)["appended"]


@pytest.mark.slow
def test_many_files_are_gone_through_some_at_a_time(tmp_path: Path, database: EmbeddedPostgres):
    plant(database)
    project = Project.create(tmp_path / "project", database.uri)
    project.edit("configs/initial.yml", "chunk_rows: 2000", "chunk_rows: 500")
    project.edit("configs/initial.yml", "threads: 1", "threads: 1\n  soft_deadline: 0.001")
    project.run("bronze")
    assert len(list(project.folder.glob("lake/bronze/shop/orders/load=*/*.parquet"))) > 9
    before = project.contents()["shop.orders"]
    table = erase(project, "shop.orders", *(part for key in ("7", "3333", "9002") for part in ("--key", key)))[
        "tables"
    ][0]
    assert (table["removed"], table["sequence"]) == (3, 2)
    assert project.contents()["shop.orders"] == [row for row in before if row[0] not in (7, 3333, 9002)]
