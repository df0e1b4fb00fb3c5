"""Quality checks as the YAML writes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from comboi_core.config.base import Model, Name


class Check(Model):
    """One quality check, brought to one form whatever the YAML said.

    Attributes:
        kind: A declarative check's name, or `script`.
        columns: The columns it looks at.
        params: What else it needs, e.g. `{"value": 0}`, `{"values": [...]}`, `{"min": 1, "max": None}`, `{"sql": ...}`.
        script: For `script`: the name of `transformations/quality/NAME.py`.
    """

    kind: Literal[
        "script",
        "not_null",
        "unique",
        "unique_combination",
        "accepted_values",
        "min",
        "max",
        "positive",
        "non_negative",
        "negative",
        "pattern",
        "row_count",
        "sql",
    ]
    columns: tuple[str, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)
    script: Name | None = None
    severity: Literal["error", "warn"] = "error"

    @property
    def label(self) -> str:
        """How reports name the check, e.g. `not_null(order_id)`."""
        if self.kind == "script":
            return str(self.script)
        shown = [*self.columns, *(f"{key}={value}" for key, value in self.params.items() if value is not None)]
        return f"{self.kind}({', '.join(map(str, shown))})"


_COLUMN_CHECKS = {"not_null", "unique", "positive", "non_negative", "negative"}
_VALUE_CHECKS = {"accepted_values": "values", "min": "value", "max": "value", "pattern": "regex"}
_TABLE_CHECKS = {"row_count": {"min", "max"}, "sql": {"query", "description"}}


def _columns_of(body: Any, kind: str) -> tuple[str, ...]:
    columns = [body] if isinstance(body, str) else body
    if not isinstance(columns, list) or not columns or not all(isinstance(column, str) for column in columns):
        raise ValueError(f"{kind} takes a column or a list of columns")
    return tuple(columns)


def parse_check(entry: Any) -> tuple[Check, ...]:
    """Turn one entry of `quality_checks` into checks; a list of columns becomes one check per column.

    Raises:
        ValueError: with what is wrong and what is expected.
    """
    if isinstance(entry, str):
        return (Check(kind="script", script=entry),)
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError("a check is a script's name or one mapping such as `not_null: [column]`")
    kind, body = next(iter(entry.items()))
    options: dict[str, Any] = {}
    if isinstance(body, dict):
        body = dict(body)
        options = {"severity": body.pop("severity", "error")}
    if kind in _COLUMN_CHECKS or kind == "unique_combination":
        if isinstance(body, dict):
            if len(body) != 1 or not set(body) <= {"column", "columns"}:
                raise ValueError(f"{kind} takes a column, a list of columns, or {{columns: [...], severity: ...}}")
            body = next(iter(body.values()))
        columns = _columns_of(body, kind)
        if kind == "unique_combination":
            return (Check(kind=kind, columns=columns, **options),)
        return tuple(Check(kind=kind, columns=(column,), **options) for column in columns)
    if kind in _VALUE_CHECKS:
        wanted = _VALUE_CHECKS[kind]
        if not isinstance(body, dict) or set(body) != {"column", wanted}:
            raise ValueError(f"{kind} takes {{column: ..., {wanted}: ...}}")
        return (Check(kind=kind, columns=(body["column"],), params={wanted: body[wanted]}, **options),)
    if kind in _TABLE_CHECKS:
        allowed = _TABLE_CHECKS[kind]
        if not isinstance(body, dict) or not body or set(body) - allowed:
            raise ValueError(f"{kind} takes {{{', '.join(sorted(allowed))}}}")
        return (Check(kind=kind, params=body, **options),)
    known = sorted({*_COLUMN_CHECKS, "unique_combination", *_VALUE_CHECKS, *_TABLE_CHECKS})
    raise ValueError(f"unknown check '{kind}'; the checks are {', '.join(known)}, or the name of a script")
