"""What a package takes of a project's folders: what comboi reads, and nothing that only lies beside it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from comboi_core.cli import members
from comboi_core.cli.members import project_files
from comboi_core.cli.package import build
from comboi_core.devtools.scaffold.project import new_project
from comboi_core.domain.errors import ConfigError

SEED = "name: silver.countries\ntype: duckdb.seed\nparameters: {path: countries.csv}\ncolumns: [{name: code}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project."""
    new_project(tmp_path / "project", "files")
    return (tmp_path / "project").resolve()


def put(project: Path, name: str, text: str = "x") -> Path:
    file = project / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def refusal(project: Path, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        project_files(project, **options)
    return f"{caught.value.message}\n{caught.value.remedy}"


@pytest.mark.parametrize(
    "name",
    [
        "configs/local.settings.json",
        "configs/secrets.env",
        "configs/server.pem",
        "configs/id_rsa",
        "configs/dump.sql",
        "configs/settings.py",
        "configs/initial.yml.bak",
        "transformations/customers.csv",
        "transformations/nested/rows.parquet",
        "transformations/shop.db",
        "transformations/token.txt",
        "transformations/service-account.json",
        "transformations/UPPER.SQL",
        "transformations/old.py~",
    ],
)
def test_what_is_neither_code_nor_configuration_is_refused_by_its_name(name, project):
    put(project, name)
    told = refusal(project)
    assert f"{name} (neither code nor configuration)" in told
    assert "Move" in told and "--include" in told


def test_all_that_is_refused_is_named_at_once_and_no_package_is_left(project, tmp_path):
    for name in ("configs/secrets.env", "transformations/rows.csv"):
        put(project, name)
    (project / "transformations" / "linked.sql").symlink_to(put(project, "transformations/real.sql", "SELECT 1"))
    with pytest.raises(ConfigError) as caught:
        build(project, tmp_path / "comboi.zip")
    assert caught.value.context["paths"] == [
        "configs/secrets.env",
        "transformations/linked.sql",
        "transformations/rows.csv",
    ]
    assert not list(tmp_path.glob("comboi.zip*"))


def test_of_very_many_the_first_are_named_and_the_rest_counted(project):
    for number in range(30):
        put(project, f"transformations/rows_{number:02}.csv")
    told = refusal(project)
    assert "rows_19.csv" in told and "rows_20.csv" not in told and "and 10 more" in told


@pytest.mark.parametrize("target", [".env", "../elsewhere.env", "transformations/orders_clean.sql", "missing.sql"])
def test_a_link_to_a_file_is_refused_wherever_it_leads(target, project, tmp_path):
    put(project, ".env", "PASSWORD=secret")
    put(tmp_path, "elsewhere.env", "PASSWORD=secret")
    (project / "transformations" / "linked.sql").symlink_to(project / target)
    told = refusal(project)
    assert "transformations/linked.sql (a link)" in told and "by the file itself" in told


@pytest.mark.parametrize("name", ["configs", "transformations", "transformations/shared"])
def test_a_link_to_a_folder_is_refused_and_not_followed(name, project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    if (project / name).exists():
        (project / name).rename(elsewhere)
    else:
        put(elsewhere, "a.sql", "SELECT 1")
    (project / name).symlink_to(elsewhere, target_is_directory=True)
    assert f"{name} (a link)" in refusal(project)


def test_a_pipe_is_refused_and_not_read(project):
    os.mkfifo(project / "transformations" / "pipe.sql")
    assert "transformations/pipe.sql (not a regular file)" in refusal(project)


def test_what_a_project_needs_goes_in(project, tmp_path):
    needed = {
        "configs/production.yaml": "x: 1",
        "transformations/helpers/__init__.py": "",
        "transformations/helpers/dates.py": "X = 1",
        "transformations/quality/more.py": "def check(con, name): return True, ''",
        "transformations/bruin/pipeline.yml": "name: bruin",
        "transformations/bruin/macros/money.sql": "{% macro euro(x) %}{{ x }}{% endmacro %}",
        "transformations/bruin/assets/silver/countries.asset.yml": SEED,
        "transformations/bruin/assets/silver/countries.csv": "code\nBE\n",
        "transformations/glossary.yml": "domains: {}",
    }
    for name, text in needed.items():
        put(project, name, text)
    before = set(members.project_files(project))
    build(project, tmp_path / "comboi.zip")
    with zipfile.ZipFile(tmp_path / "comboi.zip") as archive:
        packed = set(archive.namelist())
    assert needed.keys() <= before <= packed
    assert {"configs/initial.yml", "configs/transformations.yml"} <= packed


def test_the_seed_of_an_asset_that_is_not_enabled_is_no_stranger(project):
    put(project, "transformations/countries.asset.yml", SEED + "enabled: false\n")
    put(project, "transformations/countries.csv", "code\nBE\n")
    assert "transformations/countries.csv" in project_files(project)


def test_a_seed_that_would_stay_behind_is_refused_with_the_place_that_names_it(project):
    put(project, "data/countries.csv", "code\nBE\n")
    put(project, "transformations/countries.asset.yml", SEED.replace("countries.csv", "../data/countries.csv"))
    told = refusal(project)
    assert "countries.asset.yml:3" in told and "data/countries.csv is outside" in told


def test_a_seed_that_is_a_link_is_refused(project):
    put(project, "transformations/countries.asset.yml", SEED)
    (project / "transformations" / "countries.csv").symlink_to(put(project, ".env", "PASSWORD=secret"))
    assert "transformations/countries.csv (a link)" in refusal(project)


def test_a_file_that_code_reads_goes_in_by_its_name(project):
    put(project, "transformations/holidays.csv")
    assert "transformations/holidays.csv" in project_files(
        project, include=["transformations/../transformations/holidays.csv"]
    )


@pytest.mark.parametrize(
    "name", [".env", "../elsewhere.env", "/etc/hostname", "data/orders.csv", "configs/none.pem", "configs/.env"]
)
def test_no_other_folder_can_be_included(name, project, tmp_path):
    for secret in (".env", "configs/.env", "../elsewhere.env"):
        put(project, secret, "PASSWORD=secret")
    assert "there is no such file below configs/ or transformations/" in refusal(project, include=[name])


def test_hidden_files_and_documentation_stay_at_home_without_a_word(project):
    left = ("local.settings.json", ".env", "configs/.env", "transformations/.cache/x", "transformations/README.md")
    for name in (*left, "lake/bronze/x.parquet", "transformations/__pycache__/x.cpython-312.pyc"):
        put(project, name, "secret")
    assert {name.split("/")[0] for name in project_files(project)} == set(members.PROJECT_FOLDERS)
    assert not [name for name in project_files(project) if "/." in name or name.endswith((".md", ".pyc"))]
