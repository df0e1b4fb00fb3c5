"""What a process takes that lands a large table does not grow with the table: a stream, or chunks of a snapshot."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMIT_MB, MORE_MB = 128, 192
"""DuckDB's limit, and what Python, its libraries and a chunk in the extension's memory take beside it."""
TABLE_MB = 384


@pytest.mark.slow
@pytest.mark.parametrize("key", [[], ["id"]], ids=["one stream", "chunks"])
def test_a_table_takes_less_than_its_size(shop, key):
    rows = TABLE_MB * 64
    # Texts of 16 kB that do not compress, made of a few different ones.
    shop.run(
        "CREATE TABLE {s}.large (id int PRIMARY KEY, v mediumtext);\n"
        "CREATE TABLE {s}.some (n int PRIMARY KEY, v mediumtext);\n"
        "INSERT INTO {s}.some SELECT seq, (SELECT GROUP_CONCAT(SHA2(CONCAT(o.seq, '-', i.seq), 256) SEPARATOR '') "
        "FROM {s}.seq_1_to_255 AS i) FROM {s}.seq_0_to_63 AS o;\n"
        f"INSERT INTO {{s}}.large SELECT seq, v FROM {{s}}.seq_1_to_{rows} JOIN {{s}}.some ON n = seq % 64;\n"
        "ANALYZE TABLE {s}.large"
    )
    command = [sys.executable, "-m", "tests.support.mysql_memory", str(shop.server.port), f"{shop.schema}.large"]
    done = subprocess.run([*command, f"{LIMIT_MB}MB", *key], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    chunks, landed, peak = done.stdout.split()
    assert int(landed) == rows and (int(chunks) > 4) is bool(key)
    assert float(peak) < LIMIT_MB + MORE_MB
