"""Windows over xmin: what a transaction wrote is read once it has ended, also beyond 2^32 transactions."""

from __future__ import annotations

import random
import subprocess
import threading

import pytest

from comboi_core.cli.demo import postgres as embedded
from comboi_core.domain.errors import SourceRewound, UnsupportedValue
from comboi_core.domain.load import Checkpoint
from comboi_core.sources.postgres.xmin import full_id
from tests.sources.conftest import Shop, data_folder

XMIN = {"cursor": "xmin", "primary_key": ["id"]}
BITS = 2**32


def ids(rows) -> list[int]:
    return sorted(int(row[0]) for row in rows)


@pytest.fixture(autouse=True)
def table(shop):
    shop.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, note text)")


def test_only_what_was_written_since_is_read(shop):
    shop.run("INSERT INTO {s}.orders VALUES (1), (2), (3)")
    load, rows, checkpoint = shop.land(**XMIN)
    assert ids(rows) == [1, 2, 3] and load.mode == "merge" and load.watermark == load.window.high
    shop.run("UPDATE {s}.orders SET note = 'x' WHERE id = 2; INSERT INTO {s}.orders VALUES (4)")
    load, rows, checkpoint = shop.land(checkpoint, **XMIN)
    assert rows == [("2", "x"), ("4", None)] and load.estimated_rows == 2
    again, rows, _ = shop.land(checkpoint, **XMIN)
    assert again.unchanged and not again.chunks


def test_a_transaction_in_progress_is_left_for_later_and_so_is_what_began_after_it(shop):
    _, _, checkpoint = shop.land(**XMIN)
    with shop.transaction("INSERT INTO {s}.orders VALUES (1)"):
        shop.run("INSERT INTO {s}.orders VALUES (2)")
        during, rows, checkpoint = shop.land(checkpoint, **XMIN)
        assert rows == [] and during.unchanged
    assert ids(shop.land(checkpoint, **XMIN)[1]) == [1, 2]


def test_subtransactions_count_with_their_transaction(shop):
    _, _, checkpoint = shop.land(**XMIN)
    with shop.transaction("SAVEPOINT a; INSERT INTO {s}.orders VALUES (1); RELEASE a; SAVEPOINT b"):
        shop.run("INSERT INTO {s}.orders VALUES (2)")
        _, rows, checkpoint = shop.land(checkpoint, **XMIN)
        assert rows == []
    assert ids(shop.land(checkpoint, **XMIN)[1]) == [1, 2]


@pytest.mark.slow
def test_random_writers_lose_nothing_whenever_they_commit(shop):
    """Writers in any order between loads, updates included: at the end the landed state is the source's."""
    rng, landed, checkpoint, open_writers = random.Random(11), {}, Checkpoint(), []
    for number in range(60):
        action = rng.choice(["begin", "commit", "write", "write", "load"])
        key = rng.randrange(12) * 10
        write = f"INSERT INTO {{s}}.orders VALUES (%s, '{number}') ON CONFLICT (id) DO UPDATE SET note = '{number}'"
        if action == "begin" and len(open_writers) < 3:
            open_writers.append(shop.transaction(write % (1000 + number)))
            open_writers[-1].__enter__()
        elif action == "commit" and open_writers:
            open_writers.pop(rng.randrange(len(open_writers))).__exit__(None, None, None)
        elif action == "write":
            shop.run(write % key)
        elif action == "load":
            _, rows, checkpoint = shop.land(checkpoint, **XMIN)
            landed |= dict(rows)
    for writer in open_writers:
        writer.__exit__(None, None, None)
    landed |= dict(shop.land(checkpoint, **XMIN)[1])
    truth = dict(line.split("|") for line in shop.run("SELECT * FROM {s}.orders").split())
    assert landed == truth


def test_a_row_written_while_a_load_is_read_comes_with_the_next_one(shop):
    shop.run("INSERT INTO {s}.orders VALUES (1), (2)")
    _, _, checkpoint = shop.land(**XMIN)
    shop.run("UPDATE {s}.orders SET note = 'a'")
    adapter = shop.open(**XMIN)
    load = adapter.plan(checkpoint, full_refresh=False)
    shop.run("UPDATE {s}.orders SET note = 'b' WHERE id = 1")
    first = shop.con.execute(adapter.select(load, load.chunks[0])).fetchall()
    _, second, _ = shop.land(Checkpoint(2, load.watermark, None, load.columns), **XMIN)
    assert first == [(2, "a")] and second == [("1", "b")]


def test_rewritten_and_frozen_rows_are_not_read_again(shop):
    shop.run("INSERT INTO {s}.orders VALUES (1), (2)")
    _, _, checkpoint = shop.land(**XMIN)
    shop.run("VACUUM (FULL, FREEZE) {s}.orders")
    assert shop.land(checkpoint, **XMIN)[0].unchanged


def test_partitions_chunks_and_conditions(shop):
    shop.run(
        """DROP TABLE {s}.orders; CREATE TABLE {s}.orders (id integer PRIMARY KEY, note text) PARTITION BY RANGE (id);
        CREATE TABLE {s}.low PARTITION OF {s}.orders FOR VALUES FROM (0) TO (50);
        CREATE TABLE {s}.high PARTITION OF {s}.orders FOR VALUES FROM (50) TO (1000);
        INSERT INTO {s}.orders SELECT i, 'a' FROM generate_series(1, 99) i"""
    )
    table = XMIN | {"chunk_rows": 10, "where": "id % 2 = 0 -- the even ones"}
    load, rows, checkpoint = shop.land(**table)
    assert len(load.chunks) == 5 and ids(rows) == list(range(2, 99, 2))
    shop.run("UPDATE {s}.orders SET note = 'b' WHERE id BETWEEN 45 AND 90")
    load, rows, _ = shop.land(checkpoint, **table)
    assert len(load.chunks) == 3 and ids(rows) == list(range(46, 91, 2))


@pytest.mark.parametrize(
    "other", ["VIEW {s}.other AS SELECT * FROM {s}.orders", "FOREIGN TABLE {s}.other (id integer) SERVER nowhere"]
)
def test_what_has_no_versions_is_refused(shop, other):
    if "FOREIGN" in other:
        shop.run("""DROP FOREIGN DATA WRAPPER IF EXISTS none CASCADE; CREATE FOREIGN DATA WRAPPER none;
            CREATE SERVER nowhere FOREIGN DATA WRAPPER none""")
    shop.run(f"CREATE {other}")
    with pytest.raises(UnsupportedValue, match=r"needs an ordinary table, and .*other is none"):
        shop.plan(table="{s}.other", **XMIN)


def test_a_server_that_is_behind_the_watermark_is_another_one(shop):
    _, _, checkpoint = shop.land(**XMIN)
    ahead = Checkpoint(1, str(int(checkpoint.watermark) + 10**6), None, checkpoint.columns)
    with pytest.raises(SourceRewound, match="restored from a backup"):
        shop.plan(ahead, **XMIN)
    assert ids(shop.land(ahead, full_refresh=True, **XMIN)[1]) == []


def oracle(bits: int, following: int) -> int:
    """The largest id below `following` with these lower bits, found by looking at both candidates."""
    epoch = following >> 32 << 32
    return max(candidate for candidate in (epoch + bits, epoch - BITS + bits) if candidate < following)


def test_ids_are_extended_to_64_bits_across_wraparounds(con):
    rng = random.Random(5)
    cases = []
    for _ in range(3000):
        following = rng.choice([0, 1, 2, 5, 2**20]) * BITS + rng.choice([0, 1, 3, 2**31, BITS - 1, rng.randrange(BITS)])
        following = max(following, 4)
        written = max(1, following - 1 - rng.choice([0, 1, 2**31, BITS - 2, rng.randrange(BITS - 1)]))
        if written < following:
            cases.append((written, written % BITS, following))
    values = ", ".join(f"({written}, {bits}, {following})" for written, bits, following in cases)
    found = con.execute(
        f"SELECT written, {full_id('bits', 'following')}, bits, following "
        f"FROM (VALUES {values}) AS v (written, bits, following)"
    ).fetchall()
    assert all(written == full == oracle(bits, following) for written, full, bits, following in found)
    assert len(found) > 2900


def jump(server, following: int) -> None:
    """Let the server's next transaction be this one; done in steps that its wraparound protection accepts."""
    account = embedded._run_as(embedded._account())
    server.psql("UPDATE pg_database SET datallowconn = true")
    for target in (*range(2 * 10**9, following, 19 * 10**8), following):
        for database in ("postgres", "template1", "template0"):
            command = [str(embedded._programs() / "psql"), server.uri.replace("/postgres?", f"/{database}?")]
            subprocess.run([*command, "-XqAtc", "VACUUM FREEZE"], check=True, capture_output=True)
        server.stop()
        cluster = server.data_dir / "cluster"
        segment = cluster / "pg_xact" / f"{target >> 20:04X}"
        for command in (
            ["dd", "if=/dev/zero", f"of={segment}", "bs=262144", "count=1"],
            [str(embedded._programs() / "pg_resetwal"), "-D", str(cluster), "-x", str(target)],
        ):
            subprocess.run(command, check=True, capture_output=True, **account)
        server.start()


@pytest.mark.slow
def test_a_real_wraparound_loses_nothing(con):
    """The server's transaction ids go over 2^32 while a writer that began before keeps its transaction open."""
    with data_folder() as folder, embedded.EmbeddedPostgres(folder) as server:
        jump(server, BITS - 40)
        shop = Shop(con, server.uri, "public", server.psql)
        shop.run("CREATE TABLE {s}.orders (id integer PRIMARY KEY, note text); INSERT INTO {s}.orders VALUES (1), (2)")
        _, rows, checkpoint = shop.land(**XMIN)
        assert ids(rows) == [1, 2] and BITS - 40 < int(checkpoint.watermark) < BITS
        with shop.transaction("INSERT INTO {s}.orders VALUES (3)"):
            shop.run("".join(f"INSERT INTO {{s}}.orders VALUES ({number});" for number in range(100, 160)))
            _, rows, checkpoint = shop.land(checkpoint, **XMIN)
            assert rows == [] and int(checkpoint.watermark) < BITS
        assert int(shop.run("SELECT max(xmin::text::int8) FILTER (WHERE id = 159) FROM {s}.orders")) < 100
        _, rows, checkpoint = shop.land(checkpoint, **XMIN)
        assert ids(rows) == [3, *range(100, 160)] and int(checkpoint.watermark) > BITS
        shop.run("UPDATE {s}.orders SET note = 'x' WHERE id = 1")
        load, rows, checkpoint = shop.land(checkpoint, **XMIN)
        assert rows == [("1", "x")]
        assert shop.land(checkpoint, **XMIN)[0].unchanged
        for adapter in shop.opened:
            adapter.close()


def test_a_writer_beside_the_loads_loses_nothing(shop):
    """One thread updates and inserts without a pause while loads follow each other."""
    stop, landed, checkpoint = threading.Event(), {}, Checkpoint()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shop.run(f"INSERT INTO {{s}}.orders VALUES ({number}, 'a'); "
                     f"UPDATE {{s}}.orders SET note = '{number}' WHERE id > {number} - 5")  # fmt: skip

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(8):
            _, rows, checkpoint = shop.land(checkpoint, **XMIN)
            landed |= dict(rows)
    finally:
        stop.set()
        writer.join()
    landed |= dict(shop.land(checkpoint, **XMIN)[1])
    assert landed == dict(line.split("|") for line in shop.run("SELECT * FROM {s}.orders").split())
