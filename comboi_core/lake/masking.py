"""Masks of personal values. They are applied in the statement that writes the file.

`hash` is HMAC-SHA-256 (RFC 2104) of the value's text with the pipeline's salt as the key. Equal values stay equal, so
keys still join and merge. Without the salt nobody can guess values. `partial` keeps the first and the last character of
texts with more than four characters. `redact` only shows that there was a value. `drop` keeps nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from comboi_core.domain.errors import ComboiError, ConfigError, SchemaDrift
from comboi_core.domain.load import UNKNOWN, Column
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.sql import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BLOCK = 64
_PADS = {"comboi_inner": 0x36, "comboi_outer": 0x5C}
_INNER, _OUTER = (f"getvariable('{name}')" for name in _PADS)
_MASKS = {
    "hash": f"sha256({_OUTER} || unhex(sha256({_INNER} || encode({{text}}))))",
    "redact": "if({text} IS NULL, NULL, '***')",
    "partial": "if(length({text}) > 4, left({text}, 1) || '***' || right({text}, 1), left({text}, 0) || '***')",
}


def masked_columns(
    columns: tuple[Column, ...], mask: Mapping[str, str], known: tuple[Column, ...], *, replaces: bool, place: str
) -> tuple[Column, ...]:
    """Return a load's columns with their masks.

    Args:
        known: The committed columns.
        replaces: Whether the load is the whole table, so that nothing landed before has to fit.

    Raises:
        ConfigError: the mask names a column that does not exist.
        SchemaDrift: earlier rows have another mask.
    """
    names = [column.name for column in columns]
    for name in mask:
        if name not in names:
            raise ConfigError(
                f"{place}: mask: there is no column '{name}'{did_you_mean(name, names)}; there are {', '.join(names)}"
            )
    masked = tuple(replace(column, masked=mask.get(column.name, "")) for column in columns)
    before = {column.name.lower(): column.masked for column in known}
    for column in masked:
        was = before.get(column.name.lower(), column.masked)
        if was != column.masked and not replaces:
            raise SchemaDrift(
                f"{place}: mask of {column.name}: earlier rows have {was or 'none'}, but the configuration says "
                f"{column.masked or 'none'}",
                remedy="Run the table with --full-refresh, to land all rows with the new mask.",
            )
    return masked


def masked_rows(select: str, columns: tuple[Column, ...]) -> str:
    """Return a SELECT over a source's rows with the masks applied; run it within `keyed`.

    A column whose type is UNKNOWN is in no row, so that there is nothing to mask.
    """
    columns = tuple(column for column in columns if column.type != UNKNOWN)
    dropped = [identifier(column.name) for column in columns if column.masked == "drop"]
    changed = [
        f"{_MASKS[column.masked].format(text=f'CAST({identifier(column.name)} AS VARCHAR)')} "
        f"AS {identifier(column.name)}"
        for column in columns
        if column.masked in _MASKS
    ]
    if not dropped and not changed:
        return select
    exclude = f" EXCLUDE ({', '.join(dropped)})" if dropped else ""
    replaced = f" REPLACE ({', '.join(changed)})" if changed else ""
    return f"SELECT *{exclude}{replaced} FROM ({select})"


def discreet(error: ComboiError, columns: tuple[Column, ...]) -> ComboiError:
    """Return the error that may be shown for one that tells a value: of a masked column it does not."""
    column = error.context.get("column")
    if not any(known.masked and known.name == column for known in columns):
        return error
    place = error.message.split(": ")[0]
    return type(error)(f"{place}: a value of the masked column {column} cannot be landed", remedy=error.remedy)


@contextmanager
def keyed(con: DuckDBPyConnection, salt: str | None) -> Iterator[None]:
    """Give the connection the key of `hash` for a while; the statements themselves do not hold it."""
    if salt is None:
        yield
        return
    key = salt.encode()
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    for name, pad in _PADS.items():
        con.execute(f"SET VARIABLE {name} = unhex({literal(bytes(byte ^ pad for byte in block).hex())})")
    try:
        yield
    finally:
        for name in _PADS:
            con.execute(f"RESET VARIABLE {name}")
