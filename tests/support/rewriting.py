"""A writer that leaves no table alone: it rewrites, empties, swaps, hides, attaches and detaches what comboi reads.

What it does follows from its seed. It begins when comboi plans, or is about to read, and keeps its locks until comboi
waits for them: comboi's plan, or the snapshot that it reads in, is then older than what it reads.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field

import yaml

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.patched import Patched
from tests.support.project import CONFIG, PASSWORD_VARIABLE, Project
from tests.support.sessions import Session

SHAPE = "id bigint NOT NULL, w integer, at timestamptz NOT NULL DEFAULT now()"
ALONE = ("orders", "events", "versions", "whole")
"""Tables without partitions; `parts` has some."""
BLOCK = 1_000
SCHEMA = f"""
DROP SCHEMA IF EXISTS anew CASCADE; CREATE SCHEMA anew;
{"".join(f"CREATE TABLE anew.{name} ({SHAPE}, PRIMARY KEY (id));" for name in ALONE)}
CREATE TABLE anew.parts ({SHAPE}) PARTITION BY RANGE (id);
CREATE TABLE anew.part_0 PARTITION OF anew.parts FOR VALUES FROM (0) TO ({BLOCK});
CREATE TABLE anew.part_1 PARTITION OF anew.parts FOR VALUES FROM ({BLOCK}) TO ({2 * BLOCK});
DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT pg_read_all_data, pg_read_all_stats TO reader;
"""
TABLES = [
    {"name": "orders", "primary_key": ["id"], "incremental_column": "at"},
    {"name": "events", "incremental_column": "id", "mode": "append"},
    {"name": "versions", "primary_key": ["id"], "cursor": "xmin"},
    {"name": "whole", "primary_key": ["id"], "chunk_rows": 30},
    {"name": "parts", "primary_key": ["id"], "incremental_column": "at"},
]
"""One table per way of loading."""

REWRITES = (
    "ALTER TABLE {t} DROP COLUMN IF EXISTS u; ALTER TABLE {t} ADD COLUMN u uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE {t} ALTER w TYPE bigint",
    "ALTER TABLE {t} ALTER w TYPE integer",
    "CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE {t}; TRUNCATE {t}; INSERT INTO {t} TABLE kept",
    "CREATE TABLE anew.other (LIKE {t} INCLUDING ALL); INSERT INTO anew.other TABLE {t}; DROP TABLE {t}; "
    "ALTER TABLE anew.other RENAME TO {n}",
    "CREATE TABLE anew.other (LIKE {t} INCLUDING ALL); INSERT INTO anew.other TABLE {t}; "
    "ALTER TABLE {t} RENAME TO former; ALTER TABLE anew.other RENAME TO {n}; DROP TABLE anew.former",
)
_SECONDS = 2
"""How long it waits for comboi, each time; longer than comboi takes on a busy machine."""
_WAITED_FOR = "SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1"
_OF_COMBOI = "FROM pg_stat_activity WHERE application_name = 'comboi' AND query LIKE '%{0}%' ORDER BY random() LIMIT 1"
_PLANNED = r"""SELECT substring(query FROM '"anew"\."(\w+)"') """ + _OF_COMBOI.format('"anew"."')
_ABOUT = r"SELECT substring(query FROM 'about to read (\w+)') " + _OF_COMBOI.format("about to read")
ANNOUNCING = """
import time
from comboi_core.sources.postgres.table import PostgresTable
reading = PostgresTable.reading

def announced(self, load):
    self._rows(f"SELECT 'about to read {load.table}' AS told")
    time.sleep(0.1)
    return reading(self, load)

PostgresTable.reading = announced
"""
"""Has comboi say that it is going to read, so that the writer can forestall it."""


@dataclass
class Rewriter:
    """The writer; `start` lets it begin, `end` waits until the tables are whole and can be read.

    Attributes:
        detaches: Whether it writes to partitions while they are detached, which no cursor finds.
        forestalled: How many of its transactions comboi has waited for when it was about to read.
        failed: What went wrong in its thread.
    """

    database: EmbeddedPostgres
    seed: int
    detaches: bool = True
    forestalled: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    failed: list[BaseException] = field(default_factory=list)

    def start(self) -> Rewriter:
        """Begin in a thread of its own."""
        self._number, self._parts, self._chance = 0, 2, random.Random(self.seed)
        self._thread = threading.Thread(target=self._write)
        self._thread.start()
        return self

    def end(self) -> None:
        """Let it finish what it is doing; raise what went wrong in it."""
        self.stop.set()
        self._thread.join()
        if self.failed:
            raise self.failed[0]

    def _write(self) -> None:
        try:
            with Session(self.database) as self._session, Session(self.database) as self._watch:
                while not self.stop.is_set():
                    self._step()
        except BaseException as error:
            self.failed.append(error)

    def _step(self) -> None:
        self._session.run("; ".join(self._rows(name) for name in (*ALONE, "parts")))
        self._about = self._chance.random() < 0.7
        table = self._until(_ABOUT if self._about else _PLANNED) or self._chance.choice([*ALONE, "parts"])
        if self._chance.random() < 0.15:
            self._hide(table)
        elif table == "parts":
            self._chance.choice([self._attach, self._truncate, *([self._detach] if self.detaches else [])])()
        else:
            rewrite = self._chance.choice(REWRITES).format(t=f"anew.{table}", n=table)
            self._held(f"{self._rows(table)}; {rewrite}")

    def _rows(self, table: str) -> str:
        """SQL for five new rows; those of a partitioned table go to its first partition."""
        first, self._number = self._number + 1, self._number + 5
        return f"INSERT INTO anew.{table} (id, w) SELECT n, n FROM generate_series({first}, {self._number}) n"

    def _held(self, sql: str) -> None:
        """Run SQL in a transaction that commits once comboi waits for it."""
        self._session.run(f"BEGIN; {sql}")
        self.forestalled += bool(self._until(_WAITED_FOR)) and self._about
        self._session.run("COMMIT")

    def _until(self, question: str) -> str:
        """Wait until there is an answer, for a while; return it, or nothing."""
        deadline = time.monotonic() + _SECONDS
        while not (answer := self._watch.run(question)) and time.monotonic() < deadline:
            time.sleep(0.005)
        return answer[0] if answer else ""

    def _hide(self, table: str) -> None:
        """Let a policy hide every row for a while."""
        self._held(f"ALTER TABLE anew.{table} ENABLE ROW LEVEL SECURITY")
        time.sleep(self._chance.random() * 0.5)
        self._session.run(f"ALTER TABLE anew.{table} DISABLE ROW LEVEL SECURITY")

    def _attach(self) -> None:
        """A partition that is made, filled and attached in one transaction."""
        name, low = f"anew.part_{self._parts}", self._parts * BLOCK
        self._parts += 1
        self._held(
            f"CREATE TABLE {name} (LIKE anew.parts INCLUDING DEFAULTS); "
            f"INSERT INTO {name} (id, w) SELECT {low} + n, n FROM generate_series(0, 4) n; "
            f"ALTER TABLE anew.parts ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({low + BLOCK})"
        )

    def _detach(self) -> None:
        """A partition that gets rows while it is detached."""
        self._session.run("ALTER TABLE anew.parts DETACH PARTITION anew.part_0 CONCURRENTLY")
        self._session.run(f"{self._rows('part_0')}; INSERT INTO anew.part_1 VALUES ({BLOCK} + {self._number})")
        time.sleep(self._chance.random() * 1.5)
        self._held(f"ALTER TABLE anew.parts ATTACH PARTITION anew.part_0 FOR VALUES FROM (0) TO ({BLOCK})")

    def _truncate(self) -> None:
        """All partitions at once."""
        self._held(
            "CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE anew.parts; TRUNCATE anew.parts; "
            "INSERT INTO anew.parts TABLE kept"
        )


def over(project: Project, database: EmbeddedPostgres, patch: str = "") -> Project:
    """Return the project over the writer's tables, freshly made; its role sees what policies let through.

    Args:
        patch: What else is replaced in comboi.
    """
    database.psql(SCHEMA)
    project.env[PASSWORD_VARIABLE] = database.uri.replace("postgres@", "reader@")
    config = CONFIG | {"retry": {"attempts": 6, "first_delay": "0.05s", "factor": 1}}
    source = config["sources"][0] | {"tables": [{"table": f"anew.{table['name']}"} | table for table in TABLES]}
    project.write("configs/initial.yml", yaml.safe_dump(config | {"sources": [source]}, sort_keys=False))
    project.write("configs/transformations.yml", "silver: []\n")
    return Patched.of(project, ANNOUNCING + patch)


def missing(project: Project, database: EmbeddedPostgres) -> dict[str, set[int]]:
    """Return the ids that each table has at the source and not in the lake.

    Raises:
        AssertionError: the lake has a row twice, or one that the source does not have.
    """
    bronze, found = project.contents(), {}
    for name in (table["name"] for table in TABLES):
        there = {int(row) for row in database.psql(f"SELECT id FROM anew.{name}").split()}
        landed = [row[0] for row in bronze[f"shop.{name}"]]
        assert len(landed) == len(set(landed)), f"{name}: a row is there twice"
        assert set(landed) <= there, f"{name}: rows that the source does not have"
        found[name] = there - set(landed)
    return found
