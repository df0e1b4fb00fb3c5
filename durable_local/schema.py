"""The tables of the store, and how its file is opened."""

from __future__ import annotations

import sqlite3

from .errors import StoreError

SCHEMA_VERSION = 1

# `history` has rowids: without them SQLite puts each event of more than a quarter of a page into pages of its own, and
# those stay half empty. Stores of earlier versions are without, and are used as they are.
_SCHEMA = """
CREATE TABLE instances(
  id TEXT PRIMARY KEY, execution_id TEXT NOT NULL, name TEXT NOT NULL, version TEXT, status TEXT NOT NULL,
  input TEXT, output TEXT, custom_status TEXT, parent_id TEXT, parent_execution TEXT, parent_seq INTEGER,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, revision INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX instances_by_status ON instances(status);
CREATE TABLE history(instance_id TEXT, idx INTEGER, body TEXT NOT NULL, PRIMARY KEY(instance_id, idx));
CREATE TABLE inbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT, kind INTEGER NOT NULL,
  visible_at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX inbox_by_instance ON inbox(instance_id, visible_at);
CREATE TABLE activities(
  id INTEGER PRIMARY KEY AUTOINCREMENT, instance_id TEXT NOT NULL, execution_id TEXT NOT NULL, seq INTEGER NOT NULL,
  name TEXT NOT NULL, input TEXT);
CREATE TABLE entities(sid TEXT PRIMARY KEY, state TEXT, updated INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE entity_inbox(id INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX entity_inbox_by_sid ON entity_inbox(sid, id);
CREATE TABLE timers(
  function TEXT PRIMARY KEY, schedule TEXT NOT NULL, last INTEGER, next INTEGER NOT NULL, updated INTEGER NOT NULL);
"""
_BY_AGE = "CREATE INDEX IF NOT EXISTS instances_by_created ON instances(created)"
"""Finds what retention deletes; stores of earlier versions get it as well."""

_LARGEST_JOURNAL = 64 * 2**20
"""Bytes that the write-ahead log keeps after a large transaction."""


def prepare(db: sqlite3.Connection) -> None:
    """Set the connection up, and make the tables of a new file.

    Raises StoreError for a file of another version, sqlite3.DatabaseError for one that is no store.
    """
    db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # counts for a new file only
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(f"PRAGMA journal_size_limit={_LARGEST_JOURNAL}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
    elif version != SCHEMA_VERSION:
        raise StoreError(f"the store has schema {version}; this version reads schema {SCHEMA_VERSION}")
    db.execute(_BY_AGE)
