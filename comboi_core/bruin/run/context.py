"""What an asset knows of the run: the interval, its variables, and what Bruin calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from comboi_core.bruin.header.asset import Asset
from comboi_core.bruin.run.templates import add_months, render
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.interval import day_before

_MODIFIER = re.compile(r"([+-]?[0-9]{1,9})\s*(ns|ms|s|m|h|d|M)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_LAST = timedelta(microseconds=1)
_FORMATS = {"date": "%Y-%m-%d", "date_nodash": "%Y%m%d", "datetime": "%Y-%m-%dT%H:%M:%S"}
_WINDOWED = "Add a start_date: to the asset or its pipeline.yml. A full refresh reads from this date on."


@dataclass(frozen=True)
class AssetContext:
    """What an asset is run with.

    Attributes:
        folder: The project's `transformations/`.
        pipeline: The pipeline's name, where no pipeline.yml gives another one.
        started_at: Start of the run, in UTC.
        interval_start, interval_end: The run's interval `[start, end)`, in UTC; default: the day before the start.
        variables: What takes the place of defaults in pipeline.yml.
    """

    folder: Path
    run_id: str
    pipeline: str
    started_at: datetime
    interval_start: datetime | None = None
    interval_end: datetime | None = None
    full_refresh: bool = False
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Moment:
    """One run of one asset.

    Attributes:
        start, end: Its interval `[start, end)`, in UTC, after `interval_modifiers`.
        full_refresh: Whether the asset is refreshed; not if it says `full_refresh_restricted`.
        variables: What templates see.
    """

    start: datetime
    end: datetime
    full_refresh: bool
    variables: Mapping[str, Any]


def moment_of(asset: Asset, context: AssetContext) -> Moment:
    """Return the asset's own interval and variables.

    A full refresh reads from `start_date`. Without one, an asset that reads the interval only would be left with one
    interval's rows: Bruin does that and passes.

    Raises:
        ScriptError: that is so, or an interval modifier is none, or leaves no interval.
    """
    whole = day_before(context.started_at)
    start = context.interval_start or datetime.fromisoformat(whole["start"])
    end = context.interval_end or datetime.fromisoformat(whole["end"])
    refresh = context.full_refresh and not asset.full_refresh_restricted
    if refresh and asset.start_date:
        start = datetime.combine(asset.start_date, time(), UTC)
    elif refresh and asset.windowed:
        raise ScriptError(
            f"{asset.at()}: {asset.name} reads only the run's interval, so a full refresh would lose all other rows",
            remedy=_WINDOWED,
            script=str(asset.file),
        )
    plain = _variables(asset, context, start, end, refresh)
    start = _moved(asset, "start", start, plain)
    end = _moved(asset, "end", end, plain)
    if start >= end:
        raise ScriptError(
            f"{asset.at('interval_modifiers')}: {asset.name}: the interval would start at {start} and end at {end}",
            script=str(asset.file),
        )
    return Moment(start, end, refresh, _variables(asset, context, start, end, refresh))


def environment(asset: Asset, context: AssetContext, moment: Moment) -> dict[str, str]:
    """Return the `BRUIN_*` variables that a Python asset finds in its environment."""
    import json

    values = moment.variables
    found = {
        f"BRUIN_{name.upper()}": values[name]
        for name in (f"{which}_{kind}" for which in _POINTS for kind in ("date", "datetime", "timestamp"))
    }
    schema = {name: {"default": value} for name, value in asset.pipeline.variables.items()}
    return found | {
        "BRUIN_RUN_ID": context.run_id,
        "BRUIN_PIPELINE": values["pipeline"],
        "BRUIN_FULL_REFRESH": "1" if moment.full_refresh else "",
        "BRUIN_COMMIT_HASH": "",
        "BRUIN_ENVIRONMENT": "",
        "BRUIN_ASSET": asset.name,
        "BRUIN_THIS": asset.name,
        "BRUIN_CONNECTION": asset.header.connection or "",
        "BRUIN_VARS": json.dumps(values["var"], default=str),
        "BRUIN_VARS_SCHEMA": json.dumps({"type": "object", "properties": schema}, default=str),
    }


_POINTS = ("start", "end", "execution")


def _variables(
    asset: Asset, context: AssetContext, start: datetime, end: datetime, full_refresh: bool
) -> dict[str, Any]:
    """Return what templates see. As in Bruin, the end is the interval's last moment, so that `BETWEEN` takes all of it;
    for an asset that asks for what is below the end, it is the end.
    """
    last = end if asset.end_excluded else end - _LAST
    points = dict(zip(_POINTS, (start, last, context.started_at), strict=True))
    found: dict[str, Any] = {}
    for which, point in points.items():
        point = point.astimezone(UTC)
        found |= {f"{which}_{kind}": point.strftime(pattern) for kind, pattern in _FORMATS.items()}
        found[f"{which}_timestamp"] = point.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return found | {
        "pipeline": asset.pipeline.name or context.pipeline,
        "run_id": context.run_id,
        "full_refresh": full_refresh,
        "commit_hash": "",
        "schema_prefix": "",
        "this": asset.name,
        "var": {**asset.pipeline.variables, **context.variables},
    }


def _moved(asset: Asset, which: str, point: datetime, variables: Mapping[str, Any]) -> datetime:
    given = getattr(asset.header.interval_modifiers, which)
    if given is None:
        return point
    place = asset.at("interval_modifiers", which)
    text = str(given)
    if "{" in text:
        text = render(asset, text, variables, place=place).strip()
    match = _MODIFIER.fullmatch(text)
    if text == "0" or not text:
        return point
    if not match:
        raise ScriptError(
            f"{place}: interval_modifiers.{which}: '{text}' is not a number and a unit, such as -2h, 1d or -1M "
            "(units: ns ms s m h d M)",
            script=str(asset.file),
        )
    count, unit = int(match[1]), match[2]
    try:
        return _add(point, count, unit)
    except (OverflowError, ValueError):
        raise ScriptError(f"{place}: interval_modifiers.{which}: {text} gives a date outside of the calendar") from None


def _add(point: datetime, count: int, unit: str) -> datetime:
    if unit == "ns":
        return point + timedelta(microseconds=count / 1000)
    if unit != "M":
        return point + count * _UNITS[unit]
    return add_months(point, count)
