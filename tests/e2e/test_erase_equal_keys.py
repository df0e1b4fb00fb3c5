"""Erasing a person whose key the source may write in several ways: whichever one is given, she goes everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.citext import citext
from tests.support.person import PLANTED, erase, naming
from tests.support.project import CONFIG, Project

KINDS = {
    "number": ("numeric", "2.00", "3.00", "2.0", "2", "two"),
    "span": ("interval", "24:00:00", "48:00:00", "24 hours", "1 day", "soon"),
    "code": ("char(5)", "a", "b", "a  ", "a", "abcdef"),
    "mail": ("shop.citext", "Ann@X.org", "bob@x.org", "ann@x.ORG", "ann@x.org", None),
}
"""Table -> type of the key, the person's key and another one's, two other spellings of hers, and what is none."""
STRATEGIES: dict[str, dict[str, Any]] = {
    "built": {"strategy": "replace"},
    "merged": {"strategy": "merge", "unique_key": ["id"]},
    "kept": {"strategy": "append"},
    "versions": {"strategy": "scd2", "unique_key": ["id"]},
}
PATTERN = {"column": "name", "regex": "other"}


def planted(folder: Path, database: EmbeddedPostgres, **settings: Any) -> Project:
    """Land her in each table, with another row; refine each table in every way, with samples and quarantine."""
    project = Project.create(folder, database.uri)
    config = yaml.safe_load(yaml.safe_dump(CONFIG))
    config["sources"][0]["tables"] = [
        {"name": name, "table": f"shop.{name}", "primary_key": ["id"], "cursor": "xmin", **settings} for name in KINDS
    ]
    database.psql("DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop;" + citext("shop"))
    datasets: dict[str, list[dict[str, Any]]] = {"silver": [], "gold": []}
    for table, (kind, hers, other, *_, none) in KINDS.items():
        database.psql(
            f"CREATE TABLE shop.{table} (id {kind} {'PRIMARY KEY' if none else 'NOT NULL'}, name text);"
            f"INSERT INTO shop.{table} VALUES ('{hers}', '{PLANTED}'), ('{other}', 'other')"
        )
        for name, how in STRATEGIES.items():
            check = PATTERN | ({"on_fail": "quarantine"} if name == "merged" else {"severity": "warn"})
            inputs = [{"alias": "t", "source": "shop", "table": table}]
            told = {"name": f"{table}_{name}", "inputs": inputs, "materialization": how}
            datasets["silver"].append(told | {"quality_checks": [{"pattern": check}]})
            project.write(f"transformations/{table}_{name}.sql", "SELECT * FROM t\n")
        inputs = [{"alias": "s", "dataset": f"{table}_kept"}]
        datasets["gold"].append({"name": f"{table}_top", "inputs": inputs, "materialization": STRATEGIES["kept"]})
        project.write(f"transformations/{table}_top.sql", "SELECT id, name FROM s\n")
    project.write("configs/initial.yml", yaml.safe_dump(config))
    project.write("configs/transformations.yml", yaml.safe_dump(datasets))
    project.run()
    return project


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, database: EmbeddedPostgres) -> Project:
    return planted(tmp_path_factory.mktemp("equal") / "project", database)


@pytest.mark.slow
def test_she_goes_from_every_layer_however_her_key_is_written(ran: Project, tmp_path: Path):
    assert len(naming(ran, PLANTED)) > 4 * len(KINDS)
    project = ran.copy(tmp_path / "project")
    for table, (*_, spelled, _, _) in KINDS.items():
        record = erase(project, f"shop.{table}", "--key", spelled)
        assert (record["tables"][0]["removed"], record["erasure"]["not_erased"]) == (1, []), record
        assert record["erasure"]["samples"] > 0
    assert naming(project, PLANTED) == []
    left = {name: [row[1] for row in rows] for name, rows in project.contents().items()}
    quarantined = [names for name, names in left.items() if name.endswith(".quarantine")]
    assert quarantined == [[]] * len(KINDS)
    assert all(names == ["other"] for name, names in left.items() if not name.endswith(".quarantine")), left


@pytest.mark.slow
def test_what_is_no_value_of_the_keys_type_is_refused_and_not_found_nowhere(ran: Project):
    for table, (kind, *_, none) in KINDS.items():
        if none is not None:
            done = ran.comboi("erase", "--table", f"shop.{table}", "--key", none, "--yes")
            assert done.returncode == 1 and none not in done.stdout + done.stderr
            shown = kind.replace("char", "character")
            assert f"key 1: no value of shop.{table}.id, which has the type {shown}" in done.stderr


@pytest.mark.slow
def test_rows_that_stand_as_the_source_wrote_them_are_found_as_well(tmp_path: Path, database: EmbeddedPostgres):
    """Landed whole, without a key of the lake's own, searched by name of the column."""
    project = planted(tmp_path / "project", database, mode="full", cursor=None, primary_key=[])
    for table, (*_, spelled, _) in KINDS.items():
        erase(project, f"shop.{table}", "--key", spelled, "--column", "id")
    assert naming(project, PLANTED) == []


@pytest.mark.slow
def test_a_hashed_key_is_found_by_another_spelling(tmp_path: Path, database: EmbeddedPostgres):
    project = planted(tmp_path / "project", database)
    settings = yaml.safe_load((project.folder / "configs/initial.yml").read_text())
    settings["masking"] = {"salt": "{{env:COMBOI_TEST_SALT}}"}
    for table in settings["sources"][0]["tables"]:
        table["mask"] = {"id": "hash"}
    project.env["COMBOI_TEST_SALT"] = "pepper-and-salt-7431"
    project.write("configs/initial.yml", yaml.safe_dump(settings))
    project.run("--full-refresh")
    for table, (_, hers, _, spelled, *_) in KINDS.items():
        erase(project, f"shop.{table}", "--key", hers if table == "mail" else spelled)
    assert naming(project, PLANTED) == []
