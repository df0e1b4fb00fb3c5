"""The match-quality report: one HTML file that needs nothing else, in light and dark, and for screen readers."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from html import escape

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.doubts import Doubt
from comboi_core.dedupe.linkage import NEAR_BITS, Linkage
from comboi_core.dedupe.report import DedupeReport
from comboi_core.dedupe.samples import ABOVE, BELOW, Samples, ShownPair
from comboi_core.dedupe.weights import ComparisonWeights

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--soft:#5a6675;--line:#d5dbe3;--paper:#fff;--good:#1a7f4b;--bad:#b3382c;
--bar:#3b6fb6;--note:#fff4d6}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#a3afbd;--line:#3a4553;--paper:#12171e;--good:#5cc98f;
--bad:#f08d80;--bar:#7fabe8;--note:#3b3213}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:2rem auto;max-width:64rem;
padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}h3{font-size:1rem;margin:1.4rem 0 .5rem}
p{margin:.3rem 0;max-width:48rem}.soft,caption{color:var(--soft)}
dl{display:flex;flex-wrap:wrap;gap:.6rem 2rem;margin:1rem 0}dt{color:var(--soft);font-size:.85rem}
dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.4rem 0 1.2rem}
caption{text-align:left;padding:.2rem 0}th,td{text-align:left;padding:.25rem .7rem .25rem 0;vertical-align:top;
border-bottom:1px solid var(--line);font-weight:400;overflow-wrap:anywhere}thead th{color:var(--soft);font-size:.85rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;overflow-wrap:normal;width:5.5rem}
td:has(svg){width:13rem}
.differs{font-weight:600}.note{background:var(--note);padding:.6rem 1rem;border-radius:.4rem}
pre{white-space:pre-wrap;font-size:.85rem;border:1px solid var(--line);padding:.8rem;border-radius:.4rem}
svg{display:block}.pos{fill:var(--good)}.neg{fill:var(--bad)}.bar{fill:var(--bar)}.axis{stroke:var(--line)}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}' blob:; base-uri 'none'; form-action 'none'"
"""What the file may do wherever it is opened from: show itself in its style, which the monitor page gives as a blob."""
_WIDTH, _HEIGHT = 180, 14


def page(title: str, config: SplinkConfig, report: DedupeReport, linkage: Linkage, samples: Samples) -> str:
    """Return the report.

    Args:
        title: What was deduplicated.
    """
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">Match quality: which records count as the same, and why. '
        f"Pairs match from a probability of {config.threshold:.4g}.</p>",
        _figures(report),
        *_warnings(report.remarks, linkage.doubts),
        *_weights(linkage),
        *_sizes(samples),
        *_pairs(config, samples, linkage),
        "<h2>Settings</h2>",
        f"<pre>{escape(_settings(config))}</pre>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}: match quality</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _figures(report: DedupeReport) -> str:
    figures = {
        "Records": f"{report.records:,}",
        "Entities": f"{report.clusters:,}",
        "Duplicates": f"{report.duplicates:,}",
        "Largest cluster": f"{report.largest_cluster:,}",
    }
    for name, value in (("Precision", report.precision), ("Recall", report.recall), ("F1", report.f1)):
        figures |= {name: f"{value:.4f}"} if value is not None else {}
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items())
    told = ""
    if report.f1 is not None:
        told = (
            '<p class="soft">Precision: the share of the merged pairs whose labels agree. Recall: the share of all '
            "pairs with the same label that were merged. F1 is their harmonic mean.</p>"
        )
    return f"<dl>{items}</dl>{told}"


def _warnings(remarks: Sequence[str], doubts: Sequence[Doubt]) -> Iterator[str]:
    told = [*(f"{one.message}. {one.remedy}" for one in doubts), *remarks]
    if told:
        items = "".join(f"<li>{escape(one)}</li>" for one in told)
        yield f'<h2>Warnings</h2><div class="note"><ul>{items}</ul></div>'


def _weights(linkage: Linkage) -> Iterator[str]:
    if linkage.prior is None:
        return
    yield "<h2>Match weights</h2>"
    yield (
        "<p>Each comparison adds its level's weight in bits: one bit doubles the odds that two records are the same, "
        "minus one halves them. m is how often true matches agree this far, u how often other pairs do so by chance; "
        f"the weight is log2(m / u). Every pair begins at {_bits(_prior_weight(linkage.prior))}: "
        f"two random records match with a probability of {linkage.prior:.3g}. Where training has not seen a level, "
        "the weight is Splink's default.</p>"
    )
    widest = max((abs(level.weight) for one in linkage.weights for level in one.levels), default=0.0) or 1.0
    yield from (_comparison(one, widest) for one in linkage.weights)


def _comparison(one: ComparisonWeights, widest: float) -> str:
    rows = []
    for level in one.levels:
        if level.is_null:
            cells = ["", "", "0.0", ""]
        else:
            cells = [_share(level.m), _share(level.u), _bits(level.weight), _diverging(level.weight, widest)]
        rows.append((escape(level.label), *cells))
    note = "; the weight of an agreement is adjusted to how frequent the value is" if one.adjusted else ""
    return _table(f"{escape(one.name)}{note}", ("Level", "m", "u", "Weight", ""), rows, numbers=(1, 2, 3))


def _sizes(samples: Samples) -> Iterator[str]:
    yield "<h2>Cluster sizes</h2>"
    most = max((records for _, _, _, records in samples.sizes), default=0)
    rows = [
        (_range(low, high), f"{clusters:,}", f"{records:,}", _bar(records / most))
        for low, high, clusters, records in samples.sizes
    ]
    heads = ("Records in the cluster", "Clusters", "Records", "")
    yield _table("How many records count as one", heads, rows, numbers=(1, 2))
    if samples.largest:
        largest = [(escape(name), f"{size:,}") for name, size in samples.largest]
        yield _table("The largest clusters", ("cluster_id", "Records"), largest, numbers=(1,))


def _pairs(config: SplinkConfig, samples: Samples, linkage: Linkage) -> Iterator[str]:
    below = (
        "Pairs that were compared and not merged, neither directly nor by way of other records, the nearest to the "
        "threshold first. If they are the same, lower the threshold, or look at the comparisons that pulled them down."
    )
    leads = {ABOVE: "Pairs that were merged, the weakest first. If they differ, raise the threshold.", BELOW: below}
    for title, pairs in samples.groups.items():
        yield f"<h2>{escape(title)}</h2>"
        yield f'<p class="soft">{leads[title]}</p>' if title in leads else ""
        yield from (_pair(config, _explained(pair, linkage), below=title == BELOW) for pair in pairs)
    if linkage.prior is not None and BELOW not in samples.groups:
        yield f"<h2>{BELOW}</h2><p>No pair that was left apart is within {NEAR_BITS} bits of the threshold.</p>"


def _explained(pair: ShownPair, linkage: Linkage) -> ShownPair:
    """Add to a pair's parts what the adjustment to the values' frequency makes of its weight."""
    adjusted = any(one.adjusted for one in linkage.weights)
    if not adjusted or pair.weight is None or linkage.prior is None or not pair.levels:
        return pair
    rest = pair.weight - _prior_weight(linkage.prior) - sum(weight for _, _, weight in pair.levels)
    return replace(pair, levels=(*pair.levels, ("how frequent the values are", "term frequencies", rest)))


def _pair(config: SplinkConfig, pair: ShownPair, *, below: bool) -> str:
    left, right = (escape(one) for one in pair.ids)
    outcome, pulled = "not merged", ""
    if pair.weight is not None:
        outcome = f"{_bits(pair.weight)} bits, probability {pair.probability:.6f}"
    if below and pair.weight is not None:
        missing = config.threshold_weight - pair.weight
        outcome += f", {missing:.1f} bits short" if math.isfinite(missing) else ""
        down = sorted((one for one in pair.levels if one[2] <= -0.05), key=lambda one: one[2])
        named = "; ".join(f"{escape(name)}: {escape(label)} ({_bits(weight)})" for name, label, weight in down)
        pulled = f"<p>Pulled down by {named}.</p>" if down else ""
    heading = f"<h3>{left} and {right}: {outcome}</h3>"
    values = [
        (escape(column), *(_value(value, a != b and None not in (a, b)) for value in (a, b)))
        for column, a, b in pair.values
    ]
    parts = [(escape(comparison), escape(label), _bits(weight)) for comparison, label, weight in pair.levels]
    shown = _table("The two records; bold where they differ", ("Column", left, right), values) if values else ""
    why = _table("What made the weight", ("Comparison", "Level", "Weight"), parts, numbers=(2,)) if parts else ""
    return heading + pulled + shown + why


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """Return a table of HTML texts; the first cell of a row is its heading."""

    def kind(place: int) -> str:
        return ' class="n"' if place in numbers else ""

    head = "".join(
        f'<th scope="col"{kind(place)}>{text}</th>' if text else "<td></td>" for place, text in enumerate(heads)
    )
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{kind(place)}>{cell}</td>" for place, cell in enumerate(row) if place)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _value(value: str | None, differs: bool) -> str:
    if value is None:
        return '<span class="soft">NULL</span>'
    return f'<span class="differs">{escape(value)}</span>' if differs else escape(value)


def _prior_weight(prior: float) -> float:
    return math.log2(prior / (1 - prior))


def _bits(weight: float) -> str:
    return f"{weight:+.1f}"


def _share(share: float | None) -> str:
    return '<span class="soft">not seen</span>' if share is None else f"{share:.3g}"


def _range(low: int, high: int | None) -> str:
    return f"{low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"


def _bar(share: float) -> str:
    return _svg(f'<rect class="bar" width="{max(share * _WIDTH, 1):.1f}" height="{_HEIGHT}"/>')


def _diverging(weight: float, widest: float) -> str:
    """Return a bar to the right of the middle for agreement, to the left for disagreement."""
    middle = _WIDTH / 2
    length = abs(weight) / widest * middle
    start, kind = (middle, "pos") if weight >= 0 else (middle - length, "neg")
    axis = f'<line class="axis" x1="{middle}" x2="{middle}" y1="0" y2="{_HEIGHT}"/>'
    return _svg(f'{axis}<rect class="{kind}" x="{start:.1f}" width="{length:.1f}" height="{_HEIGHT}"/>')


def _svg(shapes: str) -> str:
    # The figure stands beside the bar, so the bar is nothing to read out.
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true">{shapes}</svg>'


def _settings(config: SplinkConfig) -> str:
    return json.dumps(config.model_dump(mode="json", exclude_defaults=True), indent=2, ensure_ascii=False)
