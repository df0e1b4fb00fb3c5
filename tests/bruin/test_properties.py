"""Whatever a template or a header looks like: lines are the file's, and nothing is taken for what it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from comboi_core.bruin.header.asset import SQL, Asset
from comboi_core.bruin.header.header import HeaderError, find_header
from comboi_core.bruin.header.models import AssetHeader
from comboi_core.bruin.header.pipelines import AssetPipeline
from comboi_core.bruin.header.tables import cte_names, table_names
from comboi_core.bruin.run.context import AssetContext, moment_of
from comboi_core.bruin.run.queries import Query

MARK = "HERE_IT_IS"

PIECES = st.sampled_from(
    [
        "SELECT a,",
        "  {{ start_date }},",
        "  '{{ run_id }}' AS r, {{ this }}.b,",
        "{% if true %}",
        "{%- if true -%}",
        "{% endif %}",
        "{# a note\nover two lines #}",
        "{% for i in [1, 2] %} {{ i }}, {% endfor %}",
        "{%- set x = 1 -%}",
        "{% set y %} 1,\n 2, {% endset %}{{ y }}",
        "{{\n  'x'\n}}",
        "{% raw %} {{ not this }} {% endraw %}",
        "",
        "   ",
        "Zoë 🦆",
        "-- a comment",
    ]
)


def asset(body: str) -> Asset:
    return Asset(
        file=Path("a.sql"), shown="a.sql", name="a", type=SQL, line=1, header=AssetHeader(), body=body,
        pipeline=AssetPipeline(Path()),
    )  # fmt: skip


def balanced(lines: list[str]) -> list[str]:
    """Return lines in which every `if` has its end, and no end comes without one."""
    kept, open_ = [], 0
    for line in lines:
        ends = line == "{% endif %}"
        if ends and not open_:
            continue
        open_ += ("if true" in line) - ends
        kept.append(line)
    return kept + ["{% endif %}"] * open_


@settings(max_examples=200, deadline=None)
@given(before=st.lists(PIECES, max_size=8), after=st.lists(PIECES, max_size=4))
def test_every_place_in_a_rendered_text_leads_back_to_its_line(before, after):
    top = balanced(before)
    body = "\n".join([*top, f"  {MARK}", *balanced(after), "{{ '' }}"])
    context = AssetContext(folder=Path(), run_id="r", pipeline="p", started_at=datetime(2026, 11, 23, tzinfo=UTC))
    one = asset(body)
    query = Query(one, moment_of(one, context))

    assert query.line(query.text.index(MARK)) == 1 + body[: body.index(MARK)].count("\n")


HEADER_LINES = st.sampled_from(
    [
        "/* @bruin", "/*@bruin", "@bruin */", "@bruin*/", "name: x", "-- @bruin.name: x", "-- @bruin.type: y",
        "SELECT 1", "", "   ", "/* a comment */", "-- @bruin", "Zoë 🦆",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(HEADER_LINES, max_size=8))
def test_a_header_is_found_whole_or_refused_by_a_line_of_the_file(lines):
    text = "\n".join(lines)
    try:
        header = find_header(text, ".sql")
    except HeaderError as error:
        assert 1 <= error.line <= len(lines)
        return
    if header is None:
        assert not any(line.strip("/* ") == "@bruin" for line in lines)
        return
    assert header.body.count("\n") == text.count("\n")
    assert len(header.body.encode()) == len(text.encode())
    end = 0 if header.form == "legacy" else next(n for n, line in enumerate(lines, 1) if line.startswith("@bruin"))
    assert header.body.split("\n")[end:] == lines[end:]
    assert not any(line.strip() for line in header.body.split("\n")[:end])


WORDS = st.sampled_from(
    [
        "SELECT", "FROM", "JOIN", "WITH", "AS", "(", ")", ",", "a", "b.c", '"d e".f', "'x", "'", '"', "--", "\n", "/*",
        "*/", "{{", "}}", "{%", "%}", "$$", ";", "LATERAL", "DISTINCT", ".", "é", "1",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(words=st.lists(WORDS, max_size=30))
def test_any_text_is_read_to_its_end(words):
    text = " ".join(words)

    found = list(table_names(text))
    cte_names(text)

    assert all(1 <= table.line <= 1 + text.count("\n") and table.name for table in found)
