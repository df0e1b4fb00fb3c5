"""DuckDB is opened with its limits, and a borrowed one is handed on only if nothing is left in it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from comboi_core.duckdb.engine import borrow_duckdb, open_duckdb

LIMITS = {"memory_limit": "200MB", "threads": 1}


def test_limits_and_spill_folder_are_set_and_the_folder_goes_away(tmp_path: Path):
    with open_duckdb(**LIMITS, temp_directory=str(tmp_path / "spill")) as con:
        limit, threads, folder = con.execute(
            "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
        ).fetchone()
        assert (limit, threads) == ("190.7 MiB", 1)
        assert Path(folder).parent == tmp_path / "spill" and Path(folder).exists()
        assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
    assert not Path(folder).exists()


def test_an_instance_is_used_again(tmp_path: Path):
    with borrow_duckdb(**LIMITS, temp_directory=str(tmp_path)) as first:
        pass
    with borrow_duckdb(**LIMITS, temp_directory=str(tmp_path)) as second:
        assert second is first


def test_only_a_borrowed_one_leaves_signatures_of_extensions_unread(tmp_path: Path):
    """Users' statements run on the other one; reading a signature takes 0.3 s of CPU at the start of each run."""
    setting = "SELECT current_setting('allow_unsigned_extensions')"
    with (
        borrow_duckdb(**LIMITS, temp_directory=str(tmp_path)) as borrowed,
        open_duckdb(**LIMITS, temp_directory=str(tmp_path)) as own,
    ):
        assert borrowed.execute(setting).fetchone() == (True,)
        assert own.execute(setting).fetchone() == (False,)


def test_two_borrowers_at_once_never_share_one(tmp_path: Path):
    with (
        borrow_duckdb(**LIMITS, temp_directory=str(tmp_path)) as first,
        borrow_duckdb(**LIMITS, temp_directory=str(tmp_path)) as second,
    ):
        assert second is not first


@pytest.mark.parametrize(
    "leftover",
    [
        "CREATE TABLE t (a int)",
        "CREATE VIEW v AS SELECT 1",
        "ATTACH ':memory:' AS other",
        "CREATE TEMP TABLE t (a int)",
    ],
)
def test_an_instance_in_which_something_is_left_is_not_handed_on(tmp_path: Path, leftover: str):
    with borrow_duckdb(**LIMITS, temp_directory=str(tmp_path)) as first:
        first.execute(leftover)
    with pytest.raises(duckdb.ConnectionException):
        first.execute("SELECT 1")


def test_an_instance_whose_borrower_failed_is_not_handed_on(tmp_path: Path):
    with pytest.raises(ValueError, match="mine"), borrow_duckdb(**LIMITS, temp_directory=str(tmp_path)) as first:
        raise ValueError("mine")
    with pytest.raises(duckdb.ConnectionException):
        first.execute("SELECT 1")
