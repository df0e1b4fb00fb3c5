"""What readers of a run's record rely on. The file may have been cut off, edited, or written by something else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class _Shape(BaseModel):
    """Further fields are welcome: a newer comboi may write them."""

    model_config = ConfigDict(strict=True)


class _Error(_Shape):
    code: str
    message: str
    remedy: str


class _Check(_Shape):
    name: str
    severity: str
    passed: bool
    message: str
    sample: list[dict[str, Any]]


class _Shortfall(_Shape):
    code: str
    message: str
    remedy: str
    rows: int | None = None


class _Item(_Shape):
    status: str
    rows: int | None = None
    seconds: float | None = None
    error: _Error | None = None
    checks: list[_Check] | None = None
    shortfalls: list[_Shortfall] | None = None


class _Table(_Item):
    source: str
    table: str


class _Dataset(_Item):
    stage: str
    name: str


class _Record(_Shape):
    run_id: str
    status: str
    started_at: Moment | None = None
    seconds: float | None = None
    error: _Error | None = None
    shortfalls: int = 0
    tables: list[_Table] = []
    datasets: list[_Dataset] = []


def misshapen(record: Any, run_id: str) -> str | None:
    """Return what is wrong with a record, without showing its values; None if it can be read.

    Args:
        record: What is in the file.
        run_id: The run whose record it should be.
    """
    try:
        found = _Record.model_validate(record)
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else "it is no record of a run"
    return None if found.run_id == run_id else "it is the record of another run"
