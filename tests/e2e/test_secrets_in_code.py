"""Secrets that a user's own code puts into its texts, in every spelling, are found nowhere afterwards.

Each kind of code reads the spellings from a file beside the project and says them in the way that its kind can: it
raises, returns a message, names a column so, or yields rows that a failing check then shows. The values of published
Parquet are data, and are not looked at.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml

from comboi_core.app.logs import VARIABLE as INSIGHTS
from tests.doubles.ingestion import IngestionDouble
from tests.doubles.webhook import WebhookDouble
from tests.support.project import CONFIG, Project

VARIABLE, SECRET = "PARTNER_API_TOKEN", "pl4nted T0ken/+&<\"x'%ü"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, lower case": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "percent, slashes kept": quote,
    "form": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of user and password": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(f"ab{text}".encode()).decode().rstrip("="),
    "HTML": html.escape,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "Python": lambda text: repr(text)[1:-1],
    "SQL": lambda text: text.replace("'", "''"),
    "hexadecimal": lambda text: text.encode().hex(),
}
READ = 'TEXT = open(__import__("os").environ["PLANTED"], encoding="utf-8").read()\n'
DATASET = {"name": "leaky", "inputs": [{"alias": "orders", "source": "shop", "table": "orders"}]}
SELECT = READ + "def transform(con, inputs):\n    return 'SELECT order_id, status FROM orders'\n"


def raising(project: Project) -> None:
    project.write("transformations/leaky.py", READ + "def transform(con, inputs):\n    raise ValueError(TEXT)\n")


def naming_a_column(project: Project) -> None:
    code = """def transform(con, inputs):
    name = TEXT.replace('"', '""')
    return f'SELECT missing AS "{name}" FROM orders'
"""
    project.write("transformations/leaky.py", READ + code)


def an_sql_error(project: Project) -> None:
    code = """def transform(con, inputs):
    text = TEXT.replace("'", "''")
    return f"SELECT error('{text}') FROM orders"
"""
    project.write("transformations/leaky.py", READ + code)


def a_check_script(project: Project) -> None:
    project.write("transformations/leaky.py", SELECT)
    project.write("transformations/quality/telling.py", READ + "def check(con, name):\n    return False, TEXT\n")
    _dataset(project, quality_checks=["telling"])


def a_check_script_that_raises(project: Project) -> None:
    project.write("transformations/leaky.py", SELECT)
    project.write("transformations/quality/telling.py", READ + "def check(con, name):\n    raise OSError(TEXT)\n")
    _dataset(project, quality_checks=["telling"])


def failing_rows(project: Project) -> None:
    code = "def transform(con, inputs):\n    return [TEXT] and con.sql('SELECT ? AS word, NULL AS id', params=[TEXT])\n"
    project.write("transformations/leaky.py", READ + code)
    _dataset(project, quality_checks=[{"not_null": {"column": "id", "severity": "warn"}}])


def an_asset(project: Project) -> None:
    _bruin(project, "def materialize():\n    raise RuntimeError(TEXT)\n")


def a_row_of_an_asset(project: Project) -> None:
    _bruin(project, "def materialize():\n    yield {TEXT: 1, TEXT.upper(): object()}\n")


def printing(project: Project) -> None:
    code = """import logging, sys, threading, warnings

def fail():
    raise OSError(TEXT)

def transform(con, inputs):
    print(TEXT)
    print(TEXT, file=sys.stderr, flush=True)
    sys.stdout.writelines([TEXT, TEXT])
    warnings.warn(TEXT)
    logging.getLogger('of.mine').error(TEXT)
    logging.getLogger('comboi').error('%s', TEXT)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    sys.exit(TEXT)
"""
    project.write("transformations/leaky.py", READ + code)


def a_chain_of_errors(project: Project) -> None:
    code = """def transform(con, inputs):
    try:
        raise KeyError(TEXT)
    except KeyError as first:
        first.add_note(TEXT)
        group = ExceptionGroup(TEXT, [ValueError(TEXT), OSError(5, TEXT, TEXT)])
        group.add_note(TEXT)
        raise group from first
"""
    project.write("transformations/leaky.py", READ + code)


def an_error_that_cannot_be_told(project: Project) -> None:
    code = """class Odd(Exception):
    def __str__(self):
        raise RuntimeError(TEXT)

def transform(con, inputs):
    raise type(TEXT.replace('\\0', ''), (Odd,), {})()
"""
    project.write("transformations/leaky.py", READ + code)


def code_that_does_not_parse(project: Project) -> None:
    project.write(
        "transformations/leaky.py", f"TOKEN = {_text(project)!r} oops\ndef transform(con, inputs):\n    pass\n"
    )


def sql_that_does_not_parse(project: Project) -> None:
    project.write("transformations/leaky.sql", f"SELECT order_id {_sql(_text(project))} oops FROM orders\n")


def a_template(project: Project) -> None:
    _bruin_sql(project, "SELECT {{ {}[var.word] }} AS word FROM shop.orders")


def a_hook(project: Project) -> None:
    query = f"SELECT error({_sql(_text(project))})"
    _bruin_sql(project, "SELECT 1 AS one FROM shop.orders", hooks={"pre": [{"query": query}]})


def a_custom_check(project: Project) -> None:
    check = {"name": "telling", "query": f"SELECT {_sql(_text(project))} AS word", "value": 0}
    _bruin_sql(project, "SELECT 1 AS one FROM shop.orders", custom_checks=[check])


def a_unit_test(project: Project) -> None:
    given = [{"asset": "shop.orders", "rows": [{"status": _text(project)}]}]
    test = {"name": "telling", "inputs": given, "expected": {"rows": [{"status": "another"}]}}
    _bruin_sql(project, "SELECT status FROM shop.orders", unit_tests=[test])


def rows_in_quarantine(project: Project) -> None:
    code = "def transform(con, inputs):\n    return con.sql('SELECT 1 AS id, ? AS word', params=[TEXT])\n"
    project.write("transformations/leaky.py", READ + code)
    check = {"accepted_values": {"column": "word", "values": ["another"], "on_fail": "quarantine"}}
    _dataset(project, quality_checks=[check, {"unique": "word"}])


def ids_for_splink(project: Project) -> None:
    code = (
        "def transform(con, inputs):\n    return con.sql('SELECT ? AS id, status, amount FROM orders', params=[TEXT])\n"
    )
    project.write("transformations/leaky.py", READ + code)
    compared = [{"type": "ExactMatch", "column": name} for name in ("status", "amount")]
    settings = {"unique_id_column_name": "id", "comparisons": compared, "survivor": {"order_by": "status"}}
    settings |= {"blocking_rules_to_generate_predictions": [["amount"]], "threshold_match_probability": 0.9}
    settings["training"] = {"deterministic_rules": [["amount"]], "recall": 0.8, "em_blocking": [["amount"], ["status"]]}
    _dataset(project, splink=settings)


def the_query_of_a_table(project: Project) -> None:
    project.write("transformations/leaky.py", SELECT)
    configuration = yaml.safe_load((project.folder / "configs/initial.yml").read_text(encoding="utf-8"))
    query = f"SELECT {_sql(_text(project))}::int AS word FROM shop.orders"
    configuration["sources"][0]["tables"].append({"name": "leaky", "query": query, "mode": "full"})
    project.write("configs/initial.yml", yaml.safe_dump(configuration))


def text_for_the_catalogue(project: Project) -> None:
    project.write("transformations/leaky.sql", f"-- {_text(project)}\nSELECT {_sql(_text(project))} AS w FROM orders\n")
    _dataset(
        project, description=_text(project), quality_checks=[{"accepted_values": {"column": "w", "values": ["x"]}}]
    )


def a_webhook_that_is_down(project: Project) -> None:
    raising(project)
    project.env["HOOK"] = f"http://127.0.0.1:9/services/{quote(SECRET, safe='')}/{SECRET.encode().hex()}"


def _text(project: Project) -> str:
    return Path(project.env["PLANTED"]).read_text(encoding="utf-8")


def _sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _bruin_sql(project: Project, query: str, **header: object) -> None:
    _bruin(project)
    variables = {"word": {"type": "string", "default": _text(project)}}
    project.write("transformations/pipeline.yml", yaml.safe_dump({"name": "shop", "variables": variables}))
    header |= {"name": "silver.leaky", "type": "duckdb.sql", "materialization": {"type": "table"}}
    told = yaml.safe_dump(header, width=100_000)
    project.write("transformations/assets/leaky.sql", f"/* @bruin\n{told}@bruin */\n{query}\n")


def _bruin(project: Project, code: str = "") -> None:
    _dataset(project, drop=True)
    (project.folder / "transformations/assets").mkdir()
    project.write("transformations/pipeline.yml", "name: shop\n")
    if code:
        project.write(
            "transformations/assets/leaky.py",
            f'""" @bruin\nname: silver.leaky\nmaterialization: {{type: table}}\n@bruin """\n{READ}\n\n{code}',
        )


def _dataset(project: Project, *, drop: bool = False, **more: object) -> None:
    datasets = yaml.safe_load((project.folder / "configs/transformations.yml").read_text(encoding="utf-8"))
    kept = [one for one in datasets["silver"] if one["name"] != "leaky"]
    datasets["silver"] = kept if drop else [*kept, DATASET | more]
    project.write("configs/transformations.yml", yaml.safe_dump(datasets))


COMMANDS = [["run"], ["status"], ["status", "--json"], ["run", "--json", "--select", "leaky"], ["build", "leaky"]]
COMMANDS += [["validate"], ["lineage"], ["runs", "--json"], ["test"], ["plan"], ["docs", "--out", "catalogue"]]
KINDS = (
    raising, naming_a_column, an_sql_error, a_check_script, a_check_script_that_raises, failing_rows, an_asset,
    a_row_of_an_asset, a_template, a_hook, a_custom_check, a_unit_test, rows_in_quarantine, ids_for_splink,
    the_query_of_a_table, printing, a_chain_of_errors, an_error_that_cannot_be_told,
    code_that_does_not_parse, sql_that_does_not_parse, text_for_the_catalogue, a_webhook_that_is_down,
)  # fmt: skip


@pytest.fixture
def services() -> Iterator[tuple[IngestionDouble, WebhookDouble]]:
    """Application Insights, and a service that takes alerts."""
    with closing(IngestionDouble()) as ingestion, closing(WebhookDouble()) as hooks:
        yield ingestion, hooks


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.slow
def test_no_kind_of_code_gets_a_secret_out_in_any_spelling(project: Project, tmp_path: Path, services, kind):
    planted = {name: spelled(SECRET) for name, spelled in SPELLINGS.items()}
    outside = tmp_path / "planted.txt"
    outside.write_text(" | ".join(planted.values()), encoding="utf-8")
    ingestion, hooks = services
    project.env |= {VARIABLE: SECRET, "PLANTED": str(outside), "HOOK": hooks.url, INSIGHTS: ingestion.connection_string}
    alerts = [{"on": ["failed", "warned"], "webhook": "{{env:HOOK}}", "format": "json"}]
    configuration = CONFIG | {"notifications": alerts, "retry": {"attempts": 1}}
    project.write("configs/initial.yml", yaml.safe_dump(configuration))
    _dataset(project)
    kind(project)

    said = [project.comboi(*command) for command in COMMANDS]

    outputs = [done.stdout + done.stderr for done in said]
    places = {f"output of {' '.join(command)}": output for command, output in zip(COMMANDS, outputs, strict=True)}
    places |= {
        str(path.relative_to(project.folder)): path.read_bytes().decode(errors="replace")
        for path in project.folder.rglob("*")
        if path.is_file() and path.suffix not in (".parquet", ".pyc")
    }
    assert ".comboi/hub.db" in places and any("runs/" in place for place in places)
    places |= {f"telemetry {number}": json.dumps(one) for number, one in enumerate(ingestion.envelopes)}
    places |= {f"alert {number}": json.dumps(one) for number, one in enumerate(hooks.payloads)}
    mine = {place for place in places if place.startswith(("transformations/", "configs/"))}
    assert any("***" in places[place] for place in places.keys() - mine), f"the code was not reached: {outputs[0]}"
    looked_for = planted | {f"{name}, in JSON": json.dumps(text)[1:-1] for name, text in planted.items()}
    leaks = {
        (place, name) for place in places.keys() - mine for name, text in looked_for.items() if text in places[place]
    }
    assert leaks == set()
