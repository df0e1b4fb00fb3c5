"""Runs in a terminal: every state, every width, and data that would rather be something else."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from rich.console import Console

from comboi_core.cli.following import HERE, follow
from comboi_core.cli.hosting import Served
from comboi_core.cli.render import STYLES, number, pace, run_view, runs_grid, seconds, show_error, size, watermark
from comboi_core.domain.contracts.fields import RUN_STATES
from comboi_core.domain.errors import ConfigError, ScriptError
from comboi_core.domain.redaction import redactor
from comboi_core.runs.records import record_path

SINCE = "2026-11-23T06:00:00+00:00"
RUN = "sales-20261123T060000Z-7f3a91"
ERROR = {"code": "source_unreachable", "message": "db does not answer", "remedy": "Look at it.", "transient": True}


def check(**changes: Any) -> dict[str, Any]:
    return {
        "name": "not_null(id)",
        "severity": "error",
        "passed": False,
        "failed_rows": 1,
        "sample": [],
        "message": "1 row",
    } | changes


def dataset(**changes: Any) -> dict[str, Any]:
    return {"stage": "silver", "name": "orders_clean", "status": "succeeded", "rows": 5, "seconds": 0.1} | changes


def table(**changes: Any) -> dict[str, Any]:
    return {
        "source": "shop",
        "table": "orders",
        "status": "succeeded",
        "rows": 1234567,
        "bytes": 10_000,
        "files": 2,
    } | changes


def record(**changes: Any) -> dict[str, Any]:
    return {
        "run_id": RUN,
        "status": "succeeded",
        "seconds": 2.5,
        "tables": [table()],
        "datasets": [dataset()],
    } | changes


def shown(view: Any, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(view)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [20, 80, 200])
@pytest.mark.parametrize("status", [*STYLES, "unheard_of"])
def test_a_run_and_its_items_are_shown_in_every_state_and_width(status, width):
    items = {
        "tables": [table(status=status)],
        "datasets": [dataset(status=status), dataset(stage="gold", status=status)],
    }

    assert shown(run_view(record(status=status, **items)), width)


def test_every_state_of_the_api_has_a_sign():
    assert set(RUN_STATES) <= set(STYLES)


def test_a_run_that_has_only_begun_has_nothing_but_its_headline():
    text = shown(run_view({"run_id": RUN, "status": "running"}))

    assert RUN in text and "running" in text


def test_a_pending_table_shows_no_figures():
    text = shown(run_view(record(tables=[{"source": "shop", "table": "orders", "status": "pending"}], datasets=[])))

    assert "shop.orders" in text and "None" not in text


def test_progress_and_attempts_are_shown_while_it_runs():
    waiting = {"phase": "plan_table", "attempt": 2, "error": {"code": "source_unreachable", "message": "m"}}

    text = shown(
        run_view(
            record(
                status="running",
                tables=[
                    table(status="running", progress={"phase": "extracting"}),
                    table(table="x", status="running", progress=waiting),
                ],
            )
        )
    )

    assert "extracting" in text and "attempt 2" in text and "source_unreachable" in text


def test_a_failure_is_shown_with_its_code_and_what_to_do():
    text = shown(run_view(record(status="failed", tables=[table(status="failed", error=ERROR)])))

    assert "shop.orders: [source_unreachable] db does not answer" in text and "what to do: Look at it." in text


def test_an_error_of_the_run_itself_is_shown_without_items():
    text = shown(run_view({"run_id": RUN, "status": "failed", "error": ERROR, "tables": [], "datasets": []}))

    assert "[source_unreachable] db does not answer" in text


def test_a_refused_run_says_who_held_the_lease():
    assert "another run held the lease: x-1" in shown(
        run_view({"run_id": RUN, "status": "skipped", "holder": {"run_id": "x-1"}})
    )


def test_retries_schema_changes_warnings_and_reasons_are_told():
    text = shown(
        run_view(
            record(
                status="failed",
                tables=[
                    table(retried=[{"code": "c1", "message": "m1"}], schema_changes=["new column a"], warnings=["w1"])
                ],
                datasets=[dataset(status="skipped", reason="its input x was not built")],
            )
        )
    )

    for said in ("[c1] m1", "new column a", "w1", "skipped: its input x was not built"):
        assert said in text


def test_failing_rows_are_shown_with_the_checked_column_first():
    sample = [{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "id": None}]

    text = shown(run_view(record(datasets=[dataset(checks=[check(sample=sample), check(passed=True)])])))

    header = next(line for line in text.splitlines() if line.strip().startswith("id"))
    assert header.split() == ["id", "a", "b", "c", "d", "e"] and "NULL" in text and "1 ok, 1 fail" in text


HOSTILE = [
    "[/x]",
    "[bold]",
    "[link=file:///etc]x[/link]",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b2J",
    "a\rb",
    "\u202e",
    "\u2066a\u2069",
    "\u200f",
    ":smile:",
    "\x00",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_data_is_shown_as_it_is_and_cannot_steer_the_terminal(text):
    hostile = record(
        status="failed",
        error=ERROR | {"message": text, "remedy": text},
        tables=[
            table(watermark=text, warnings=[text], schema_changes=[text], retried=[{"code": "c", "message": text}])
        ],
        datasets=[dataset(status="skipped", reason=text, checks=[check(message=text, sample=[{text: text}])])],
    )

    out = shown(run_view(hostile)) + shown(runs_grid([{"run_id": RUN, "status": "failed", "error": {"message": text}}]))

    assert not {"\x1b", "\x9b", "\x07", "\r", "\x00"} & set(out)
    if text.isprintable():
        assert out.count(text) >= 8


def test_an_error_is_printed_a_problem_a_line():
    console = Console(file=io.StringIO(), width=200)

    show_error(console, ConfigError("a.yml:1: [/x]\nb.yml:2: y"))

    lines = console.file.getvalue().splitlines()
    assert lines[:2] == ["✗ a.yml:1: [/x]", "✗ b.yml:2: y"] and lines[2].startswith("  what to do: ")


def test_an_error_of_a_script_is_one_problem_however_many_lines_it_takes():
    console = Console(file=io.StringIO(), width=200)

    show_error(console, ScriptError("a.py:3: KeyError: 'x'\n    > return y['x']"))

    lines = console.file.getvalue().splitlines()
    assert lines[:2] == ["✗ a.py:3: KeyError: 'x'", "      > return y['x']"]


def test_runs_are_listed_with_the_first_line_of_their_error():
    runs = [
        {
            "run_id": RUN,
            "status": "failed",
            "trigger": "timer",
            "rows": 5,
            "seconds": 1.0,
            "error": {"message": "one\ntwo"},
        },
        {"run_id": RUN, "status": "unfinished", "trigger": None},
    ]

    text = shown(runs_grid(runs))

    assert "one" in text and "two" not in text and "unfinished" in text and "None" not in text


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, ""), (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_500_000, "1.5 MB"), (10**12, "1000.0 GB")],
)
def test_sizes_are_readable(given, expected):
    assert size(given) == expected


def test_figures_that_are_missing_show_nothing():
    assert (number(None), seconds(None), watermark(None)) == ("", "", "")
    assert (number(0), number(1234567), seconds(0)) == ("0", "1,234,567", "0.0s")


def test_following_prints_each_state_of_an_item_once():
    class FakeApi:
        """Stands in for the API: a run in three looks."""

        answers = iter(
            [
                record(status="running", tables=[table(status="pending")], datasets=[]),
                record(status="running", tables=[table(status="running")], datasets=[]),
                record(tables=[table(status="succeeded", rows=7)], datasets=[dataset(rows=None)]),
            ]
        )

        def get(self, path: str) -> dict[str, Any]:
            assert path == f"runs/{RUN}"
            return next(self.answers)

    console = Console(file=io.StringIO(), width=100)

    assert follow(Served(FakeApi()), RUN, console)["status"] == "succeeded"

    states = [line.split()[:2] for line in console.file.getvalue().splitlines()]
    assert states == [["running", "shop.orders"], ["succeeded", "shop.orders"], ["succeeded", "orders_clean"]]


def test_a_run_on_the_commands_own_host_is_asked_for_again_when_it_has_ended():
    """Each request takes 20 ms of CPU from a run of half a second."""

    class FakeHost:
        """Stands in for a host of this process: the run ends during the second wait."""

        waits: ClassVar[list[float]] = []

        def wait(self, run_id: str, timeout: float) -> None:
            assert run_id == RUN
            self.waits.append(timeout)
            if len(self.waits) == 1:
                raise TimeoutError

    class FakeApi:
        """Stands in for the API: a run in three looks."""

        answers = iter([record(status="running"), record(status="running"), record()])

        def get(self, _: str) -> dict[str, Any]:
            return next(self.answers)

    console = Console(file=io.StringIO(), width=100)

    assert follow(Served(FakeApi(), FakeHost()), RUN, console)["status"] == "succeeded"

    assert FakeHost.waits == [HERE[0]] * 2


def test_following_an_erasure_tells_the_rows_that_are_gone():
    class FakeApi:
        """Stands in for the API: an erasure that has ended."""

        def get(self, _: str) -> dict[str, Any]:
            return record(tables=[table(rows=0, removed=12)], datasets=[dataset(rows=3, removed=None)])

    console = Console(file=io.StringIO(), width=100)

    follow(Served(FakeApi()), RUN, console)

    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == [
        "succeeded  shop.orders  12 rows removed",
        "succeeded  orders_clean",
    ]


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        ({}, ""),
        ({"phase": "planning"}, ""),
        ({"phase": "extracting", "chunks": 1, "since": SINCE}, ""),
        ({"phase": "extracting", "chunks": 10, "since": SINCE}, "extracting 0 of 10 chunks"),
        (
            {
                "phase": "extracting",
                "chunks": 10,
                "chunks_done": 4,
                "since": SINCE,
                "rows": 4000,
                "estimated_rows": 9999,
            },
            "extracting 4 of 10 chunks, ~4,000 of ~9,999 rows, 100 rows/s, 1:00 left",
        ),
        (
            {
                "phase": "extracting",
                "chunks": 1000,
                "chunks_done": 1,
                "since": SINCE,
                "rows": 0,
                "estimated_rows": None,
            },
            "extracting 1 of 1000 chunks, 11:06:00 left",
        ),
        (
            {"phase": "extracting", "chunks": 2, "chunks_done": 2, "since": SINCE, "rows": 80, "estimated_rows": None},
            "extracting 2 of 2 chunks, ~80 rows, 2 rows/s, 0:00 left",
        ),
    ],
)
def test_the_pace_of_a_big_table_tells_rows_per_second_and_the_time_left(progress, said):
    assert pace(progress, datetime.fromisoformat(SINCE) + timedelta(seconds=40)) == said


def test_a_clock_that_lags_behind_the_hosts_gives_no_pace():
    progress = {"phase": "extracting", "chunks": 2, "chunks_done": 1, "since": SINCE, "rows": 80}
    assert pace(progress, datetime.fromisoformat(SINCE) - timedelta(seconds=5)) == "extracting 1 of 2 chunks"


def test_a_run_that_has_ended_says_where_its_record_is_and_who_cancelled_it():
    path = record_path(RUN)
    ended = record(status="cancelled", cancelled={"at": SINCE, "by": "cli"}, lake="/data/bronze", path=path)
    said = shown(run_view(ended))

    assert "cancelled by cli" in said and f"record: /data/bronze/{path}" in said
    assert "record:" not in shown(run_view(record(status="failed", lake="/data/bronze"))), "it has none"


def test_the_match_quality_report_is_named_by_its_path():
    merged = {"records": 2, "clusters": 1, "duplicates": 1, "report": "silver/orders.report.html"}
    run = record(datasets=[dataset(name="silver.orders", duplicates=merged)])

    assert "report on match quality: silver/orders.report.html" in shown(run_view(run))


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "on": "failed",
        "webhook": 1,
        "format": "slack",
        "sent": False,
        "told": "answers 404",
        "attempts": 1,
    } | changes


def test_an_alert_that_was_not_delivered_is_told_in_a_line_and_others_are_not():
    missing = alert(on="stale", told="it is\x1b[31m [/x] refused")
    said = shown(run_view(record(notifications=[alert(sent=True, on="recovered"), alert(), missing])))

    assert "! alert 'failed' to webhook 2 (slack) was not delivered: answers 404\n" in said
    assert "! alert 'stale' to webhook 2 (slack) was not delivered: it is�[31m [/x] refused" in said
    assert "recovered" not in said


def test_an_alert_that_was_not_delivered_repeats_no_secret():
    redactor.add("https://hooks.example.com/T0/s3cr3t-path")
    said = shown(run_view(record(notifications=[alert(told="no https://hooks.example.com/T0/s3cr3t-path")])))

    assert "s3cr3t-path" not in said and "hooks.example.com" not in said and "not delivered: no ***" in said


def test_an_alert_whose_outcome_nobody_knows_counts_as_not_delivered():
    run = record(notifications=[{"on": "failed", "webhook": 0, "format": "teams", "by": "1f", "at": "2026-11-23"}])

    assert "! alert 'failed' to webhook 1 (teams) was not delivered: another execution" in shown(run_view(run))


SHORT = {"code": "future_cursor", "message": "3 rows wait for 2027", "remedy": "Mend the clock.", "rows": 3}


@pytest.mark.parametrize("width", [80, 120])
def test_a_success_with_shortfalls_has_a_sign_of_its_own_and_says_what_is_missing(width):
    text = shown(run_view(record(shortfalls=1, tables=[table(shortfalls=[SHORT])])), width)

    assert "▲ succeeded, 1 shortfall" in text and "▲  shop.orders" in text
    assert "[future_cursor] 3 rows wait for 2027" in text and "what to do: Mend the clock." in text
    assert "✓  orders_clean" in text


def test_the_list_of_runs_tells_successes_with_shortfalls_from_whole_ones():
    text = shown(runs_grid([record(shortfalls=2), record()]))

    assert "▲ succeeded, 2 shortfalls" in text and "✓ succeeded" in text


def test_names_stay_whole_in_a_narrow_terminal_and_the_least_important_columns_go():
    items = [table(table=f"a_table_with_a_long_name_{number}", mode="merge", seconds=0.5) for number in range(2)]
    wide, narrow, tiny = (shown(run_view(record(tables=items, datasets=[])), width) for width in (120, 80, 52))
    assert "files" in wide and "mode" in wide
    assert "files" not in narrow and "rows read" in narrow and "1,234,567" in narrow
    for text in (wide, narrow, tiny):
        assert all(f"shop.{item['table']} " in text for item in items)
    assert all(len(line) <= 52 for line in tiny.splitlines())


def test_many_items_are_cut_with_a_count_and_what_is_on_or_failed_stands_first():
    failed = [table(table=f"t{number}", status="failed", error=ERROR) for number in range(500)]
    running = table(table="slow", status="running")
    idle = [dataset(name=f"d{number}", status="skipped", reason="its input failed") for number in range(60)]
    lines = shown(run_view(record(status="running", tables=[*failed, running], datasets=idle)), 100).splitlines()
    assert len(lines) < 40
    assert [line.split()[1] for line in lines[3:6]] == ["shop.slow", "shop.t0", "shop.t1"]
    assert any(line.split() == ["…", "485", "more", "failed"] for line in lines)
    assert any(line.split() == ["…", "55", "more", "skipped"] for line in lines)
    assert "shop.t9 and 490 more: [source_unreachable]" in " ".join(" ".join(lines).split())


def test_runs_are_listed_with_when_they_started():
    runs = [record(started_at="2026-11-23T06:00:00.123456+00:00", trigger="timer")]
    assert "2026-11-23 06:00" in shown(runs_grid(runs), 80)
