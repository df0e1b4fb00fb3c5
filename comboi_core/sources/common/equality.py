"""Which texts of a landed column its source calls equal."""

from __future__ import annotations

from comboi_core.config.source_registry import source_type
from comboi_core.domain.equal_texts import LETTERS, Texts
from comboi_core.domain.load import Column

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
