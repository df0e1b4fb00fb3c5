"""Assets of Bruin, written and run by tests."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comboi_core.bruin.run.running import (
    AssetContext,
    asset_errors,
    run_asset,
)
from comboi_core.domain.errors import ScriptError

STARTED = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
INPUTS = {"bronze.orders": '"bronze"."orders"'}
TABLE = "materialization: {type: table}"
BY_TIME = "materialization: {type: table, strategy: time_interval, incremental_key: happened, time_granularity: date}"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def sql(folder: Path, body: str, *, header: str = TABLE, name: str = "silver/orders.sql") -> Path:
    """Write an SQL asset whose header has one line for `type`, then those given, and then the body."""
    return write(folder, name, f"/* @bruin\ntype: duckdb.sql\n{header}\n@bruin */\n{body}")


def python(folder: Path, body: str, *, header: str = TABLE, name: str = "silver/fx.py") -> Path:
    return write(folder, name, f'""" @bruin\n{header}\n@bruin """\n{textwrap.dedent(body)}')


def context(folder: Path, **changes) -> AssetContext:
    return AssetContext(**{"folder": folder, "run_id": "r1", "pipeline": "sales", "started_at": STARTED} | changes)


def result(con, file: Path, run: AssetContext, inputs=INPUTS) -> list[tuple]:
    """Run an asset the way a build does: bind it, then read it through."""
    run_asset(con, file, run, inputs, into="result")
    with asset_errors(con, file, run, inputs):
        return con.execute("FROM result").fetchall()


def failure(con, file: Path, run: AssetContext, inputs=INPUTS) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        result(con, file, run, inputs)
    return raised.value
