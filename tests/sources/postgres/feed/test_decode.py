"""Decoding pgoutput: which keys changed, and which commits are not to be seen yet."""

from __future__ import annotations

import struct

import pytest

from comboi_core.domain.errors import UnsupportedValue
from comboi_core.sources.postgres.feed.decode import Decoder
from comboi_core.sources.postgres.feed.position import number, text
from comboi_core.sources.postgres.feed.snapshot import Snapshot

OID = 7
SEEN = Snapshot.parse("10:20:12,15")


def begin(commit: int, xid: int = 5) -> bytes:
    return b"B" + struct.pack("!QQI", commit, 0, xid)


def relation(*names: str, oid: int = OID) -> bytes:
    columns = b"".join(b"\1" + name.encode() + b"\0" + struct.pack("!Ii", 25, -1) for name in names)
    return b"R" + struct.pack("!I", oid) + b"public\0orders\0d" + struct.pack("!H", len(names)) + columns


def row(*values: str | None) -> bytes:
    parts = (b"n" if one is None else b"u" if one == "?" else _sized(one.encode()) for one in values)
    return struct.pack("!H", len(values)) + b"".join(parts)


def _sized(value: bytes) -> bytes:
    return b"t" + struct.pack("!I", len(value)) + value


def change(kind: str, *rows: bytes) -> bytes:
    return kind.encode() + struct.pack("!I", OID) + b"".join(rows)


def decoded(*messages: bytes, key: tuple[str, ...] = ("id",)) -> Decoder:
    decoder = Decoder({OID: key}, SEEN)
    decoder.feed(messages)
    return decoder


def test_each_change_names_its_keys():
    found = decoded(
        begin(100),
        relation("id"),
        change("I", b"N", row("1")),
        change("U", b"N", row("2")),
        change("U", b"K", row("3"), b"N", row("4")),
        change("D", b"K", row("5")),
        begin(200),
        change("D", b"O", row("1")),
    )
    assert found.touched[OID].keys == {(b"1",): 200, (b"2",): 100, (b"3",): 100, (b"4",): 100, (b"5",): 100}


def test_keys_stand_in_the_configured_order_among_other_columns():
    found = decoded(begin(1), relation("x", "b", "a"), change("I", b"N", row(None, "é", "1")), key=("a", "b"))
    assert list(found.touched[OID].keys) == [(b"1", "é".encode())]


def test_a_long_key_that_an_update_leaves_as_it_is_stands_in_the_old_row():
    found = decoded(begin(1), relation("id", "n"), change("U", b"O", row("long", "1"), b"N", row("?", "2")))
    assert list(found.touched[OID].keys) == [(b"long",)] and not found.touched[OID].unreadable


def test_a_renamed_key_column_and_a_key_that_is_not_sent_make_the_feed_unreadable():
    renamed = decoded(begin(9), relation("number"), change("I", b"N", row("1")), begin(12), change("I", b"N", row("1")))
    assert "no column id" in renamed.touched[OID].unreadable and renamed.touched[OID].unreadable_at == 12
    assert "not sent" in decoded(begin(9), relation("id"), change("U", b"N", row("?"))).touched[OID].unreadable


def test_truncate_names_its_tables():
    found = decoded(begin(3), b"T" + struct.pack("!IBII", 2, 0, 99, OID))
    assert found.touched[OID].truncated == 3


def test_other_tables_and_other_messages_are_passed_over():
    other = b"I" + struct.pack("!I", 8) + b"N" + row("1")
    assert not decoded(begin(1), relation("id", oid=8), other, b"C...", b"Oxyz", b"Yabc", b"M").held


def test_unknown_messages_are_refused():
    with pytest.raises(UnsupportedValue, match="'Z'"):
        decoded(b"Z")
    with pytest.raises(UnsupportedValue, match="'b'"):
        decoded(begin(1), relation("id"), change("I", b"N", b"\0\1b"))


def test_commits_of_transactions_that_the_snapshot_does_not_see_are_kept():
    found = decoded(begin(1, 11), begin(2, 12), begin(3, 19), begin(4, 20), begin(5, 2**32 - 1))
    assert found.waiting == {12: 2, 20: 4}


def test_transactions_have_64_bits():
    snapshot = Snapshot.parse(f"{2**33}:{2**33 + 5}:")
    assert [snapshot.full(bits) for bits in (4, 5, 2**32 - 1)] == [2**33 + 4, 2**33 + 5, 2**33 - 1]


@pytest.mark.parametrize(("written", "value"), [("0/0", 0), ("16/B374D848", 0x16B374D848), ("1/0", 2**32)])
def test_positions_are_numbers(written, value):
    assert number(written) == value and text(value) == written
