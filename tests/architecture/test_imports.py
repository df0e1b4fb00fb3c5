"""Who may import whom (chapter 1 of the design), read from the source text; and what the front door drags in."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("comboi", "comboi_core", "durable_local", "orchestrators", "entities", "activities")
ADAPTERS = {"sources", "lake", "transforms", "quality", "dedupe", "secrets", "telemetry"}
BELOW = {"domain", "config", "duckdb"}
LAYERS = {
    "domain": set(),
    "config": {"domain"},
    "state": {"domain"},
    "duckdb": {"domain"},
    **dict.fromkeys(ADAPTERS, BELOW),
    "bruin": BELOW | {"transforms"},
    "app": BELOW | {"bruin", "lake", "secrets", "sources", "telemetry"},
    "landing": BELOW | {"app", "lake", "sources"},
    "building": BELOW | ADAPTERS | {"app", "bruin", "landing"},
    "erasure": BELOW | {"app", "lake", "landing", "runs", "sources"},
    "runs": BELOW | {"app", "building", "landing", "telemetry"},
    "devtools": BELOW | ADAPTERS | {"app", "building", "landing", "runs"},
    "testing": BELOW | {"app", "lake", "landing"},
    "web": {"domain", "config", "app", "building", "devtools", "erasure", "landing", "runs", "state", "telemetry"},
    "cli": {"domain", "config", "app", "bruin", "building", "devtools", "runs", "telemetry", "web"},
}
"""Which packages of comboi_core each one may import, besides itself."""

FUNCTIONS = ("azure.functions", "azure.durable_functions")

PARSING = {"comboi_core/transforms/scripts.py", "comboi_core/dedupe/settings.py"}
"""Files that open an empty DuckDB to parse SQL for `comboi validate`; it runs nothing, so it needs no limits."""


def sources(folder: str) -> Iterator[Path]:
    yield from sorted((ROOT / folder).rglob("*.py"))


@cache
def imports(file: Path) -> set[str]:
    """Return every module that a file imports, at its top or inside functions; not those for type checking only."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(file.read_bytes())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            folders = file.relative_to(ROOT).parent.parts
            above = folders[: len(folders) + 1 - node.level] if node.level else ()
            found |= {".".join([*above, *filter(None, [node.module]), alias.name]) for alias in node.names}
        todo += ast.iter_child_nodes(node)
    return found


def importing(file: Path, *prefixes: str) -> set[str]:
    return {
        name for name in imports(file) if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
    }


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("package", sorted(LAYERS))
def test_packages_import_only_what_lies_below_them(package):
    wrong = {}
    for file in sources(f"comboi_core/{package}"):
        below = {name.split(".")[1] for name in importing(file, "comboi_core") if "." in name}
        wrong |= {named(file): below - LAYERS[package] - {package}} if below - LAYERS[package] - {package} else {}
    assert not wrong


def test_every_package_has_its_place_in_the_house():
    assert {file.parent.name for file in (ROOT / "comboi_core").glob("*/__init__.py")} == set(LAYERS)


def test_domain_and_state_need_the_standard_library_only_and_config_pydantic_and_yaml():
    # typing_extensions is the standard library of later Pythons: Pydantic reads its TypedDicts only, before 3.12.
    allowed = {"domain": {"typing_extensions"}, "state": set(), "config": {"pydantic", "pydantic_core", "yaml"}}
    for package, further in allowed.items():
        for file in sources(f"comboi_core/{package}"):
            tops = {name.split(".")[0] for name in imports(file)} - {"comboi_core"} - further
            assert tops <= sys.stdlib_module_names, named(file)


def test_the_engine_knows_nothing_of_functions():
    knowing = {named(file) for folder in ("comboi_core",) for file in sources(folder) if importing(file, *FUNCTIONS)}
    assert not knowing


def test_orchestrators_see_the_domain_the_sdk_and_each_other_only():
    allowed = (
        "comboi_core.domain",
        "azure.durable_functions",
        "orchestrators",
        "datetime",
        "typing",
        "collections.abc",
        "contextlib",
    )
    for file in sources("orchestrators"):
        assert imports(file) - importing(file, *allowed, "__future__") == set(), named(file)


def test_orchestrators_have_no_clock_no_chance_and_no_environment():
    forbidden = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    for file in sources("orchestrators"):
        tree = ast.parse(file.read_bytes())
        used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not used & forbidden, named(file)
        assert not names & {"random", "time", "os", "uuid", "open", "secrets", "environ"}, named(file)


def test_entities_and_activities_reach_the_engine_through_their_own_doors():
    use_cases = ("app", "landing", "building", "erasure", "runs")
    doors = {
        "entities": ("comboi_core.state", "comboi_core.domain.contracts"),
        "activities": tuple(f"comboi_core.{room}" for room in use_cases),
    }
    for folder, allowed in doors.items():
        for file in sources(folder):
            assert importing(file, "comboi_core") <= importing(file, *allowed), named(file)


def test_the_embedded_host_knows_nothing_of_comboi_and_comboi_reaches_it_from_the_command_line_only():
    ours = ("comboi_core", "activities", "entities", "orchestrators", "function_app")
    assert not {named(file) for file in sources("durable_local") if importing(file, *ours)}
    reaching = {
        file
        for folder in SHIPPED
        if folder != "durable_local"
        for file in sources(folder)
        if importing(file, "durable_local")
    }
    assert all(file.is_relative_to(ROOT / "comboi_core" / "cli") for file in reaching)
    assert not importing(ROOT / "function_app.py", "durable_local")


@pytest.mark.slow
def test_duckdb_is_opened_for_work_in_one_place():
    demo = ROOT / "comboi_core" / "cli" / "demo"
    opening = {
        named(file)
        for folder in SHIPPED
        for file in sources(folder)
        if not file.is_relative_to(demo)
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("duckdb.connect", "connect")
    }
    assert opening - PARSING == {"comboi_core/duckdb/engine.py"}


def test_the_front_door_loads_none_of_the_heavy_libraries():
    """A cold start in Azure indexes the functions before it runs one: seconds of imports would be paid each time."""
    heavy = ["duckdb", "splink", "pandas", "pyarrow", "numpy", "typer", "rich", "durable_local", "azure.identity"]
    program = f"import sys, function_app; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300)

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_no_shipped_file_is_longer_than_a_reader_takes_in():
    files = [ROOT / "function_app.py", *(file for folder in SHIPPED for file in sources(folder))]
    assert {named(file): count for file in files if (count := file.read_text().count("\n")) > 400} == {}
