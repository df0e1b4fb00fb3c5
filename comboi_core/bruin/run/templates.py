"""Jinja as Bruin has it: strict about what is not defined, with its filters for dates and a pipeline's macros.

A template cannot reach Python: the environment is Jinja's sandbox. An error names the file and line of the template,
be it found while it is rendered or by DuckDB in what came of it.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from comboi_core.bruin.header.asset import Asset
from comboi_core.domain.errors import ScriptError
from comboi_core.domain.extras import require
from comboi_core.domain.names import did_you_mean
from comboi_core.domain.redaction import redactor

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

_BOUNDARY, _OPEN, _CLOSE = "\ue0f0", "\ue0f1", "\ue0f2"
"""Characters of the private use area: between the macros and the template, and around the number of a line."""
_MARK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_UNDEFINED = re.compile(r"'([^']+)' is undefined")

Variables = Mapping[str, Any]


class Template:
    """A text of an asset that may hold Jinja, with the macros of the asset's pipeline in front of it.

    Args:
        text: The template; its lines are those of the asset's file, unless `place` says otherwise.
        place: `file:line` to name in errors, for a text that is not the file's body.
    """

    def __init__(self, asset: Asset, text: str, *, place: str | None = None) -> None:
        self.asset = asset
        self.text = text
        self.place = place
        self._macros = _macros(asset)
        self._before = sum(1 + macro.count("\n") for _, macro in self._macros)

    def render(self, variables: Variables) -> str:
        """Return the text with everything filled in.

        Raises:
            ExtraMissing: Jinja is not installed.
            ScriptError: the template is none, or something in it is not defined.
        """
        require("bruin", f"the template in {self.place or self.asset.shown}")
        return self._render(variables, _environment())

    def line(self, variables: Variables, rendered: str, offset: int) -> int:
        """Return the template's line from which a place in the rendered text comes; macros count as where called."""
        marked = self._render(variables, _environment(marking_after=self._before))
        lines, counts, seen = [1], [0], 0
        for position, part in enumerate(_MARK.split(marked)):
            if position % 2:
                lines.append(int(part) - self._before)
                counts.append(seen)
            else:
                seen += len("".join(part.split()))
        # Jinja may trim blanks around a mark, so that places are counted without blanks.
        wanted = len("".join(rendered[:offset].split()))
        return lines[bisect.bisect_right(counts, wanted) - 1]

    def _render(self, variables: Variables, environment: SandboxedEnvironment) -> str:
        from jinja2 import TemplateError

        full = "".join(f"{macro}\n" for _, macro in self._macros) + _BOUNDARY + self.text
        try:
            rendered = environment.from_string(full).render(deepcopy(dict(variables)))
        except TemplateError as error:
            line = getattr(error, "lineno", None) or _template_line(error)
            raise self._error(line, _said(error, variables)) from None
        except RecursionError:
            raise self._error(None, "the template calls itself without end") from None
        except Exception as error:
            raise self._error(_template_line(error), f"{type(error).__name__}: {error}") from None
        return rendered.partition(_BOUNDARY)[2]

    def _error(self, line: int | None, said: str) -> ScriptError:
        """Return the error for a line of the macros and the template together."""
        passed = 0
        for shown, macro in self._macros:
            length = 1 + macro.count("\n")
            if line is not None and line <= passed + length:
                return ScriptError(f"{shown}:{line - passed}: {said}", script=shown, line=line - passed)
            passed += length
        where = self.place or f"{self.asset.shown}:{max(line - passed, 1) if line else self.asset.line}"
        shown = "" if self.place or not line else self.text.split("\n")[max(line - passed, 1) - 1].strip()
        quoted = f"\n    > {redactor.cut(shown, 200)}" if shown else ""
        return ScriptError(f"{where}: {said}{quoted}", script=str(self.asset.file))


def render(asset: Asset, text: str, variables: Variables, *, place: str) -> str:
    """Return a short text of an asset's header with everything filled in.

    Raises:
        ExtraMissing: Jinja is not installed.
        ScriptError: naming `place`.
    """
    return Template(asset, text, place=place).render(variables)


def _macros(asset: Asset) -> list[tuple[str, str]]:
    return [(str(file), file.read_text(encoding="utf-8-sig")) for file in asset.pipeline.macros]


def _said(error: Exception, variables: Variables) -> str:
    message = str(getattr(error, "message", None) or error)
    name = _UNDEFINED.fullmatch(message)
    if name:
        return f"'{name[1]}' is not defined{did_you_mean(name[1], variables)}"
    missing = re.fullmatch(r"'dict object' has no attribute '([^']+)'", message)
    if missing:
        known = variables.get("var", {})
        return f"there is no variable '{missing[1]}'{did_you_mean(missing[1], known)}; pipeline.yml has {_list(known)}"
    return f"Jinja: {message}"


def _list(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"


def _template_line(error: BaseException) -> int | None:
    """Return the line of the template in an error's traceback; the innermost one."""
    line, traceback = None, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


@lru_cache(maxsize=64)
def _environment(marking_after: int | None = None) -> SandboxedEnvironment:
    """Return Jinja's environment.

    Args:
        marking_after: Mark where each line begins in the output, but for those up to this one, which hold macros.
    """
    from jinja2 import StrictUndefined
    from jinja2.ext import Extension
    from jinja2.lexer import Token
    from jinja2.sandbox import SandboxedEnvironment

    class Marking(Extension):
        def filter_stream(self, stream: Any) -> Any:
            for token in stream:
                if token.type == "data" and marking_after is not None:
                    yield Token(token.lineno, "data", _marked(token.value, token.lineno, marking_after))
                else:
                    yield token

    extensions = [Marking] if marking_after is not None else []
    environment = SandboxedEnvironment(
        undefined=StrictUndefined, extensions=extensions, keep_trailing_newline=True, cache_size=0
    )
    environment.filters |= FILTERS
    return environment


def _marked(text: str, line: int, after: int) -> str:
    numbered = enumerate(text.split("\n"), line)
    return "\n".join(f"{_OPEN}{number}{_CLOSE}{part}" if number > after else part for number, part in numbered)


# Filters for dates: texts in, texts of the same form out.

_LAYOUTS = (
    "%Y-%m-%d",
    "%Y%m%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
)


def _parsed(value: Any) -> tuple[datetime, str]:
    for layout in _LAYOUTS:
        try:
            return datetime.strptime(str(value), layout), layout
        except ValueError:
            continue
    raise ValueError(f"'{value}' is not a date or time such as 2026-11-22 or 2026-11-22T06:00:00Z")


def _whole(value: Any, name: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"{name} takes a whole number, not '{value}'") from None


def _adding(name: str, add: Callable[[datetime, int], datetime]) -> Callable[[Any, Any], str]:
    def apply(value: Any, count: Any) -> str:
        point, layout = _parsed(value)
        return add(point, _whole(count, name)).strftime(layout)

    return apply


def _truncating(**fields: int) -> Callable[[Any], str]:
    def apply(value: Any) -> str:
        point, layout = _parsed(value)
        return point.replace(**fields).strftime(layout)  # type: ignore[arg-type]

    return apply


def _date_format(value: Any, pattern: Any) -> str:
    point, layout = _parsed(value)
    return (point.replace(tzinfo=UTC) if layout.endswith("Z") else point).strftime(str(pattern))


def add_months(point: datetime, count: int) -> datetime:
    """Return the same day of another month. As in Go, which Bruin is written in, 31 January + 1 month is in March."""
    months = point.year * 12 + point.month - 1 + count
    first = point.replace(year=months // 12, month=months % 12 + 1, day=1)
    return first + timedelta(days=point.day - 1)


_HOUR = {"minute": 0, "second": 0, "microsecond": 0}
_DAY = {"hour": 0, **_HOUR}

FILTERS: dict[str, Callable[..., str]] = {
    "add_years": _adding("add_years", lambda point, count: add_months(point, 12 * count)),
    "add_months": _adding("add_months", add_months),
    "add_days": _adding("add_days", lambda point, count: point + timedelta(days=count)),
    "date_add": _adding("date_add", lambda point, count: point + timedelta(days=count)),
    "add_hours": _adding("add_hours", lambda point, count: point + timedelta(hours=count)),
    "add_minutes": _adding("add_minutes", lambda point, count: point + timedelta(minutes=count)),
    "add_seconds": _adding("add_seconds", lambda point, count: point + timedelta(seconds=count)),
    "add_milliseconds": _adding("add_milliseconds", lambda point, count: point + timedelta(milliseconds=count)),
    "truncate_year": _truncating(month=1, day=1, **_DAY),
    "truncate_month": _truncating(day=1, **_DAY),
    "truncate_day": _truncating(**_DAY),
    "truncate_hour": _truncating(**_HOUR),
    "date_format": _date_format,
}
