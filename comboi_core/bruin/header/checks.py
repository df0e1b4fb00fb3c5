"""Bruin's checks as comboi's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from comboi_core.bruin.header.models import AssetHeader, Column, ColumnCheck, CustomCheck
from comboi_core.config.checks import Check

_VALUE = {"min": "value", "max": "value", "accepted_values": "values", "pattern": "regex"}
"""Checks with a `value:` -> the name of this parameter in comboi."""

Resolve = Callable[[str], str | None]
"""From a name in an asset to the dataset's name or `source.table`; None if there is none."""


def column_check(column: Column, check: ColumnCheck, resolve: Resolve) -> Check:
    """Return one check of a column.

    Raises:
        ValueError: its value is missing or invalid, or it refers to a table or dataset that does not exist.
    """
    params: dict[str, Any] = {}
    if check.name in _VALUE:
        params = {_VALUE[check.name]: check.value}
        if check.value is None or check.value == []:
            raise ValueError(f"the check {check.name} of {column.name} needs value:")
        if check.name == "accepted_values" and not isinstance(check.value, list):
            raise ValueError(f"the check accepted_values of {column.name} needs a list: value: [a, b]")
    elif check.value is not None:
        raise ValueError(f"the check {check.name} of {column.name} takes no value:; remove it")
    elif check.name == "relationships":
        if column.foreign_key is None:
            raise ValueError(f"the check relationships of {column.name} needs foreign_key: {{table: ..., column: ...}}")
        parent = resolve(column.foreign_key.table)
        if parent is None:
            raise ValueError(f"foreign_key of {column.name}: there is no table or dataset '{column.foreign_key.table}'")
        params = {"to": parent, "field": column.foreign_key.column}
    return Check(kind=check.name, columns=(column.name,), params=params, severity=_severity(check.blocking))  # type: ignore[arg-type]


def custom_check(check: CustomCheck) -> Check:
    """Return a custom check; its query may still hold Jinja, which is rendered when the run is known."""
    wanted = {"count": check.count} if check.count is not None else {"value": check.value or 0}
    params = {"name": check.name, "query": check.query, **wanted}
    return Check(kind="custom", params=params, severity=_severity(check.blocking))


def checks_of(header: AssetHeader, resolve: Resolve) -> Iterator[tuple[tuple[str | int, ...], Check | ValueError]]:
    """Yield every check, or what is wrong with it, with its place in the header."""
    for position, column in enumerate(header.columns):
        for number, check in enumerate(column.checks):
            yield ("columns", position, "checks", number), _or_error(column_check, column, check, resolve)
    for position, custom in enumerate(header.custom_checks):
        yield ("custom_checks", position), _or_error(custom_check, custom)


def _or_error(function: Callable[..., Check], *arguments: Any) -> Check | ValueError:
    try:
        return function(*arguments)
    except ValueError as error:
        return error


def _severity(blocking: bool) -> Any:
    return "error" if blocking else "warn"
