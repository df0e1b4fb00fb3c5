"""The queries of docs/operations.md use only tables, columns, dimensions and names that are really sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from comboi_core.config.document import Document
from comboi_core.config.monitoring import Format, Occasion
from comboi_core.config.project import PipelineFile
from comboi_core.telemetry.envelopes import envelope
from comboi_core.telemetry.logs import CONTEXT_FIELDS
from comboi_core.telemetry.runs import METRICS, TYPES, run_signals
from comboi_core.telemetry.signals import Signal
from tests.doubles.ingestion import TABLES, row
from tests.telemetry.test_runs import RUN, record

PAGES = Path(__file__).resolve().parents[2] / "docs"
PAGE = (PAGES / "operations.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```kusto\n(.*?)```", PAGE, re.DOTALL)
VOCABULARY = {
    *(
        "where",
        "project",
        "order",
        "by",
        "desc",
        "asc",
        "take",
        "isnotempty",
        "summarize",
        "union",
        "and",
        "in",
        "true",
        "false",
    ),
    *("ago", "now", "bin", "count", "sum", "max", "percentile", "arg_max", "tostring", "toreal"),
}
EXAMPLES = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in (PAGES / "operations.md", PAGES / "security.md")
    for number, block in enumerate(re.findall(r"```yml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]
WHOLE = {
    "pipeline": "example",
    "sources": [
        {"name": "f", "type": "files", "connection": {"path": "."}, "tables": [{"name": "a", "path": "a.csv"}]}
    ],
    "stages": {stage: {"data_lake": {"path": stage}} for stage in ("bronze", "silver", "gold")},
}


def sent() -> dict[str, list[dict]]:
    """Return table -> rows, as a run with all kinds of outcomes and its logs send them."""
    fields = {name: "x" for name in CONTEXT_FIELDS if name != "run_id"}
    message = Signal("message", "2026-11-23T06:00:00Z", "hello", operation=RUN, properties=fields, code=2)
    found: dict[str, list[dict]] = {}
    for signal in [*run_signals(record(), {"shop.orders": 5.0}), message]:
        data = envelope(signal, "key")
        found.setdefault(TABLES[data["data"]["baseType"]], []).append(row(data))
    return found


SENT = sent()


def tables_of(query: str) -> list[str]:
    first = query.split("\n")[0]
    return re.findall(r"\w+", first.removeprefix("union "))


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.split("\n")[0])
def test_a_query_uses_what_is_sent(query):
    rows = {table: SENT[table] for table in tables_of(query)}
    columns = set.intersection(*({key for item in found for key in item} for found in rows.values()))
    body = query.partition("\n")[2]
    aliases = set(re.findall(r"(\w+) = ", body))
    for dimension in re.findall(r"customDimensions\.(\w+)", body):
        assert all(any(dimension in item["customDimensions"] for item in found) for found in rows.values()), dimension
    for measurement in re.findall(r'customMeasurements\["([^"]+)"\]', body):
        assert any(measurement in item["customMeasurements"] for found in rows.values() for item in found), measurement
    bare = re.sub(r'"[^"]*"|customDimensions\.\w+|\b\d+\w*', "", body)
    unknown = set(re.findall(r"[A-Za-z_]\w*", bare)) - columns - aliases - VOCABULARY
    assert not unknown


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.split("\n")[0])
def test_names_and_types_in_a_query_are_those_that_are_sent(query):
    values = {item[key] for found in SENT.values() for item in found for key in ("name", "type") if key in item}
    measured = {name for item in SENT["requests"] for name in item["customMeasurements"]}
    for quoted in re.findall(r'"(comboi[. ][^"]+)"', query):
        assert quoted in values | measured, quoted


def test_the_page_has_queries_for_every_table_that_is_sent():
    assert {table for query in QUERIES for table in tables_of(query)} == set(SENT) == set(TABLES.values())


@pytest.mark.parametrize("name", [*METRICS, *TYPES.values(), *Occasion.__args__, *Format.__args__])
def test_every_name_that_is_sent_is_explained(name):
    assert f"`{name}`" in PAGE or f"`format: {name}`" in PAGE


@pytest.mark.parametrize("block", EXAMPLES)
def test_an_example_of_the_pages_is_accepted(block):
    part = Document(block, "the page").value
    complete = [{"tables": [{"name": "a", "table": "a"}], **source} for source in part.get("sources", WHOLE["sources"])]

    PipelineFile.model_validate(WHOLE | part | {"sources": complete})
