"""A wheel, installed where nothing but it and its dependencies is: no checkout, no extra, no package of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.package.environments import ROOT, build, copy_sources, make_environment

DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
HOME = "comboi_core/function_app_folder/"
SPLINK = """
    splink:
      unique_id_column_name: order_id
      threshold_match_probability: 0.9
      comparisons: [{type: ExactMatch, column: city}, {type: ExactMatch, column: status}]
      survivor: {order_by: order_id}
      training: {deterministic_rules: [[city]], recall: 0.8, em_blocking: [[city]]}
      blocking_rules_to_generate_predictions: [[city]]
"""
ASSET = (
    "/* @bruin\nname: silver.cities\ntype: duckdb.sql\nmaterialization: {type: table}\n@bruin */\n"
    "SELECT '{{ pipeline }}' AS origin\n"
)
AZURE_SQL = """
pipeline: shop
sources:
  - name: shop
    type: azure_sql
    connection: {server: 127.0.0.1, database: shop, user: u, password: "{{env:HOME}}"}
    tables: [{name: orders, table: dbo.orders, primary_key: [order_id]}]
stages: {bronze: {data_lake: {path: b}}, silver: {data_lake: {path: s}}, gold: {data_lake: {path: g}}}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made from the sdist: so it is made for a package index."""
    folder = tmp_path_factory.mktemp("wheel")
    return build(copy_sources(folder / "source"), folder / "dist", sdist=True)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and what it asks for."""
    return make_environment(tmp_path_factory.mktemp("installed") / "venv", wheel, DEPENDENCIES)


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("COMBOI_", "PYTHON"))}
    return subprocess.run(list(arguments), cwd=cwd, env=kept, capture_output=True, text=True, timeout=300)


def comboi(python: Path, *arguments: str, cwd: Path, code: int = 0) -> str:
    done = call(str(python.parent / "comboi"), *arguments, cwd=cwd)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if "--json" in arguments else done.stdout + done.stderr


@pytest.fixture
def shop(python: Path, tmp_path: Path) -> Path:
    """A new project, made by the installed command."""
    comboi(python, "init", "shop", cwd=tmp_path)
    return tmp_path / "shop"


@pytest.mark.slow
def test_the_wheel_holds_the_app_the_page_and_the_marks_for_type_checkers(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    app = {f"{HOME}{name}" for name in ("function_app.py", "host.json", "requirements.txt", "infra/requirements.lock")}
    code = {HOME + str(file.relative_to(ROOT)) for part in ("activities", "entities", "orchestrators")
            for file in (ROOT / part).rglob("*.py")}  # fmt: skip
    page = {str(file.relative_to(ROOT)) for file in (ROOT / "comboi_core/web/page").glob("*.[hcj]*")}
    engine = {str(file.relative_to(ROOT)) for part in ("comboi", "comboi_core", "durable_local")
              for file in (ROOT / part).rglob("*.py")}  # fmt: skip
    assert (
        app | code | page | engine | {f"{name}/py.typed" for name in ("comboi", "comboi_core", "durable_local")}
        <= names
    )
    assert {name.split("/")[0] for name in names} <= {
        "comboi", "comboi_core", "durable_local", f"{wheel.name.split('-py3')[0]}.dist-info"
    }  # fmt: skip


@pytest.mark.slow
def test_nothing_of_it_comes_from_elsewhere(python, tmp_path):
    program = "import comboi_core, durable_local; print(comboi_core.__file__, durable_local.__file__)"
    found = call(str(python), "-c", program, cwd=tmp_path).stdout.split()
    assert len(found) == 2 and all(Path(file).is_relative_to(python.parents[1]) for file in found)
    for name in ("splink", "mssql_python", "jinja2", "pytest"):
        assert call(str(python), "-c", f"import {name}", cwd=tmp_path).returncode == 1


@pytest.mark.slow
def test_a_new_project_runs_and_runs_again(python, shop):
    first = json.loads(comboi(python, "run", "--json", cwd=shop))
    assert first["status"] == "succeeded" and first["tables"][0]["rows"] > 0 and first["datasets"]
    second = json.loads(comboi(python, "run", "--json", cwd=shop))
    assert second["status"] == "succeeded" and second["tables"][0]["rows"] == 0
    assert first["run_id"] in comboi(python, "runs", "--json", cwd=shop)


@pytest.mark.slow
def test_a_project_runs_and_is_read_from_python(python, shop):
    program = (
        "import comboi; project = comboi.Project.open(); run = project.run().raise_for_status(); "
        "print(run.tables['shop.orders']['rows'], project.table('orders').read().num_rows)"
    )
    done = call(str(python), "-c", program, cwd=shop)
    assert done.stdout.split() == ["60", "60"], done.stderr


@pytest.mark.slow
def test_it_says_which_version_it_is_and_finds_its_dependencies_in_order(python, shop):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert comboi(python, "--version", cwd=shop).split() == ["comboi", version]
    told = {
        finding["check"]: finding for finding in json.loads(comboi(python, "doctor", "--json", cwd=shop))["findings"]
    }
    assert told["versions"]["ok"], told["versions"]
    assert told["function app"]["ok"], told["function app"]


@pytest.mark.slow
def test_it_packs_a_project_for_azure(python, shop, tmp_path):
    built = json.loads(comboi(python, "package", "--output", str(tmp_path / "app.zip"), "--json", cwd=shop))
    names = set(zipfile.ZipFile(tmp_path / "app.zip").namelist())
    assert built["files"] == len(names)
    assert {"function_app.py", "host.json", "requirements.txt", "activities/work.py", "configs/initial.yml"} <= names
    assert not {name for name in names if name.startswith((HOME, "durable_local", "comboi/"))}


@pytest.mark.slow
def test_the_demo_is_refused_with_where_it_is(python, shop):
    assert "comboi's checkout" in comboi(python, "demo", cwd=shop, code=1)


@pytest.mark.slow
def test_splink_without_its_extra_is_told(python, shop):
    file = shop / "configs" / "transformations.yml"
    text = file.read_text()
    file.write_text(text.replace("  - name: orders_clean\n", f"  - name: orders_clean{SPLINK.rstrip()}\n", 1))
    assert file.read_text() != text
    told = comboi(python, "validate", cwd=shop, code=1)
    assert "transformations.yml:" in told and "pip install 'comboi[splink]'" in told
    record = json.loads(comboi(python, "run", "--json", cwd=shop, code=1))
    (failed,) = [item["error"] for item in record["datasets"] if item["name"] == "orders_clean"]
    assert failed["code"] == "extra_missing" and "comboi[splink]" in failed["remedy"]


@pytest.mark.slow
def test_a_bruin_asset_without_its_extra_is_told(python, shop):
    (shop / "transformations" / "cities.sql").write_text(ASSET)
    record = json.loads(comboi(python, "run", "--json", cwd=shop, code=1))
    assert "cities.sql" in record["error"]["message"]
    assert "needs jinja2, which is not installed: pip install 'comboi[bruin]'" in record["error"]["message"]


@pytest.mark.slow
def test_azure_sql_without_its_extra_is_told(python, shop):
    (shop / "configs" / "initial.yml").write_text(AZURE_SQL)
    (shop / "configs" / "transformations.yml").write_text("silver: []\ngold: []\n")
    record = json.loads(comboi(python, "run", "--json", cwd=shop, code=1))
    assert "comboi[azure-sql]" in json.dumps(record)
