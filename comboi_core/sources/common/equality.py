"""Which texts of a landed column its source calls equal."""

from __future__ import annotations

from collections.abc import Sequence

from comboi_core.config.source_registry import source_type
from comboi_core.domain.equal_texts import LETTERS, Texts
from comboi_core.domain.load import Column
from comboi_core.domain.shortfall import Shortfall

_NUMBERS = ("DECIMAL", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


def texts_of(source: str, column: Column) -> Texts:
    """Return how values of a column are compared where they stand as text, in its own table or in what is made of it.

    Args:
        source: The source's type, e.g. `postgres`.
    """
    if column.type.removeprefix("U").startswith(_NUMBERS):
        return Texts("number")
    texts = source_type(source).texts
    return texts(column) if texts and column.type == "VARCHAR" else LETTERS


def spellings_that_double(columns: Sequence[str], folded: str) -> tuple[Shortfall, ...]:
    """Return the shortfall of a merged table's key where the source calls spellings equal that readers call different.

    Args:
        columns: Each such column, with its collation and what that does not see.
        folded: An expression for `query:` that gives such a column one spelling.
    """
    if not columns:
        return ()
    return (
        Shortfall(
            "key_equality",
            f"the source compares the key {', '.join(columns)}: a key that is written in another way later is a second "
            "row in the lake",
            f"Give it one spelling in `query:`, such as `{folded}`, or the column a collation that sees the "
            "difference; else name another key, or set `mode: full`.",
        ),
    )
