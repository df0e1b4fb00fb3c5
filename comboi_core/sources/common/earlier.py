"""Looking back at earlier rows: does the source have values in a column that was added since they were landed?

The look is bounded: it takes the first rows that the source comes upon. The texts are SQL of every dialect.
"""

from __future__ import annotations

from comboi_core.domain.load import LOOKED_BACK, Column, EarlierRows


def marks(operands: list[str]) -> str:
    """Return the select list that tells for each operand by 1 or 0 whether a row has a value there."""
    return ", ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE 1 END AS c{index}" for index, name in enumerate(operands))


def counts(columns: tuple[Column, ...]) -> str:
    """Return the select list, over `marks` of as many columns, that gives what `counted` takes, as text."""
    filled = (f", CAST(sum(c{index}) AS varchar(20)) AS c{index}" for index in range(len(columns)))
    return f"CAST(count(*) AS varchar(20)) AS looked{''.join(filled)}"


def limited(columns: tuple[Column, ...], operands: list[str], source: str, condition: str) -> str:
    """Return the whole query for a dialect that has LIMIT."""
    inner = f"SELECT {marks(operands)} FROM {source} WHERE {condition} LIMIT {LOOKED_BACK}"
    return f"SELECT {counts(columns)} FROM ({inner}) AS earlier"


def counted(columns: tuple[Column, ...], found: dict[str, str | None]) -> EarlierRows:
    """Return what the query's row says."""
    looked = int(found["looked"] or 0)
    filled = {column.name: int(found[f"c{index}"] or 0) for index, column in enumerate(columns)}
    return EarlierRows(looked, filled, complete=looked < LOOKED_BACK)
