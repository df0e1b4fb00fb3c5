"""What passes between a Durable host and the Python worker, one exchange per line of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

FILE = "exchanges.jsonl"
LABEL = "\n\n$OutOfProcData$:"

Trigger = Literal["orchestrationTrigger", "entityTrigger"]


@dataclass(frozen=True)
class Exchange:
    """One call of a function.

    Attributes:
        scenario: What comboi did: run, failing share, cancel, backfill, erasure.
        function: The function's name, as the worker indexes it.
        trigger: The type of its trigger, whose parameter is called `context`.
        request: The JSON text that the host sends as the trigger's data.
        answer: The JSON text that came back: the return value or, where the function raised, what follows LABEL in the
            exception's text.
        raised: Whether it raised.
    """

    scenario: str
    function: str
    trigger: Trigger
    request: str
    answer: str
    raised: bool


def write(folder: Path, exchanges: list[Exchange]) -> Path:
    """Write the exchanges to a folder, which is made; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text("".join(json.dumps(asdict(one)) + "\n" for one in exchanges), encoding="utf-8")
    return path


def read(folder: Path) -> Iterator[Exchange]:
    """The exchanges of a folder, in their order."""
    with (folder / FILE).open(encoding="utf-8") as lines:
        for line in lines:
            yield Exchange(**json.loads(line))


def outcome(answer: str) -> Any:
    """An answer without what no two calls have in common: when each entity operation began, and how long it took."""
    document = json.loads(answer)
    for result in document.get("results", []):
        result.pop("startTime"), result.pop("duration")
    return document
