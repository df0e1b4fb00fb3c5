"""Alerts as Teams, Slack and other programs want them.

Text that comes from data or errors goes where neither service looks for markup: into runs of an Adaptive Card, into
plain text blocks of Slack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from comboi_core.config.monitoring import Format, Occasion
from comboi_core.domain.contracts.record import RunRecord
from comboi_core.domain.redaction import redactor
from comboi_core.telemetry.runs import items

PROBLEMS_SHOWN = 5
TEXT_LENGTH = 400
"""Characters of a message or a remedy: Teams takes 28 kB in all, Slack 3,000 characters in a block."""
_TITLES: dict[Occasion, str] = {
    "failed": "{pipeline}: run failed",
    "warned": "{pipeline}: succeeded with shortfalls: {count}",
    "recovered": "{pipeline}: recovered",
    "stale": "{pipeline}: stale tables: {count}",
    "first_success": "{pipeline}: first successful run",
}
_SIGNS: dict[Occasion, tuple[str, str]] = {
    "failed": ("✗", "Attention"),
    "warned": ("▲", "Warning"),
    "recovered": ("✓", "Good"),
    "stale": ("◷", "Warning"),
    "first_success": ("✓", "Good"),
}
"""Sign, and the colour that an Adaptive Card has for it."""

Payload = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """One thing that failed, is stale or falls short, and what to do."""

    name: str
    code: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Alert:
    """What is told on an occasion.

    Attributes:
        facts: Label -> value, in the order to show.
        more: How many further problems there are.
    """

    occasion: Occasion
    pipeline: str
    run_id: str
    title: str
    facts: dict[str, str]
    problems: tuple[Problem, ...] = ()
    more: int = 0


def alert_of(occasion: Occasion, about: list[str], record: RunRecord, freshness: Mapping[str, float | None]) -> Alert:
    """Return the alert for an occasion of a finished run.

    Args:
        about: The names it is about.
        freshness: `source.table` -> the age in seconds at which it is stale.
    """
    facts = {"run": record["run_id"], "status": record["status"], "started": str(record["started_at"])}
    facts |= {"seconds": str(record["seconds"])}
    problems: list[Problem] = []
    if occasion == "failed":
        problems = _failures(record)
    elif occasion == "warned":
        problems = _shortfalls(record, about)
    elif occasion == "stale":
        remedy = "See why its loads fail or do not start: `comboi status`, then the schedule."
        for name in about:
            told = f"no good load for more than {freshness[name]:g} seconds, its freshness"
            problems.append(Problem(name, "stale", told, remedy))
    elif about:
        facts["had failed"] = redactor.cut(", ".join(about), TEXT_LENGTH)
    return Alert(
        occasion=occasion,
        pipeline=record["pipeline"],
        run_id=record["run_id"],
        title=_TITLES[occasion].format(pipeline=record["pipeline"], count=len(about)),
        facts=facts,
        problems=tuple(problems[:PROBLEMS_SHOWN]),
        more=max(0, len(problems) - PROBLEMS_SHOWN),
    )


def _shortfalls(record: RunRecord, about: list[str]) -> list[Problem]:
    return [
        Problem(name, *(redactor.cut(str(shortfall[key]), TEXT_LENGTH) for key in ("code", "message", "remedy")))
        for _, name, _, item in items(record)
        if name in about
        for shortfall in item.get("shortfalls") or ()
    ]


def _failures(record: RunRecord) -> list[Problem]:
    failed = [(name, item.get("error")) for _, name, _, item in items(record) if item["status"] == "failed"]
    if record.get("error"):
        failed.insert(0, ("the run itself", record["error"]))
    texts = ("code", "message", "remedy")
    return [
        Problem(name, *(redactor.cut(str(error.get(key, "")) if error else "", TEXT_LENGTH) for key in texts))
        for name, error in failed
    ]


def _teams(alert: Alert) -> Payload:
    sign, color = _SIGNS[alert.occasion]
    body = [_text(f"{sign} {alert.title}", size="Large", weight="Bolder", color=color)]
    body += [_text(f"{label}: {value}", spacing="None") for label, value in alert.facts.items()]
    for problem in alert.problems:
        body.append(_text(f"{problem.name}  {problem.code}", weight="Bolder", spacing="Medium"))
        body.append(_text(problem.message, spacing="None"))
        body.append(_text(f"What to do: {problem.remedy}", spacing="None", isSubtle=True))
    body += [_text(f"and {alert.more} more", isSubtle=True)] if alert.more else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": alert.title,
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text(text: str, *, spacing: str = "Default", **style: Any) -> Payload:
    """A line of text as it is: a TextBlock would read Markdown in it."""
    run = {"type": "TextRun", "text": text, **style}
    return {"type": "RichTextBlock", "spacing": spacing, "inlines": [run]}


def _slack(alert: Alert) -> Payload:
    sign, _ = _SIGNS[alert.occasion]
    title = f"{sign} {alert.title}"
    blocks = [{"type": "header", "text": _plain(redactor.cut(title, 150))}]
    blocks.append(_section("\n".join(f"{label}: {value}" for label, value in alert.facts.items())))
    for problem in alert.problems:
        blocks.append(_section(f"{problem.name}  {problem.code}\n{problem.message}\nWhat to do: {problem.remedy}"))
    blocks += [_section(f"and {alert.more} more")] if alert.more else []
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": escaped, "blocks": blocks}


def _section(text: str) -> Payload:
    return {"type": "section", "text": _plain(redactor.cut(text, 3000))}


def _plain(text: str) -> Payload:
    return {"type": "plain_text", "text": text, "emoji": False}


def _json(alert: Alert) -> Payload:
    return asdict(alert) | {"problems": [asdict(problem) for problem in alert.problems]}


FORMATS: dict[Format, Callable[[Alert], Payload]] = {"teams": _teams, "slack": _slack, "json": _json}
"""How an alert is written, by the webhook's format."""
