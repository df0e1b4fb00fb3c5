"""What people look at to trust a deduplication: pairs that were merged, or missed, and how large the clusters are."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.columns import Names, compared, distinct
from comboi_core.dedupe.survivors import ASSIGNED
from comboi_core.dedupe.weights import ComparisonWeights
from comboi_core.dedupe.workbench import HEAVIEST, LABEL, NEAR, PAIRS, RECORDS, UNIQUE_ID, Workbench

PAIRS_PER_GROUP = 8
LARGEST_SHOWN = 10
HIDDEN = "***"
ABOVE, BELOW = "Nearest to the threshold", "Just below the threshold"
_LONGEST, _MOST_LABELLED = 120, 100
_SIZES = (1, 2, 3, 4, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class ShownPair:
    """Two records that were merged, that were nearly, or that should have been.

    Attributes:
        ids: The two unique ids, with their datasets where such are linked.
        weight: The pair's match weight in bits; None where it was not looked for; likewise the probability.
        values: Column, the value of either record; None is NULL.
        levels: Comparison, the level that the pair is on, its part in the match weight in bits (without the adjustment
            for frequent values); empty if `retain_intermediate_calculation_columns` is off.
    """

    ids: tuple[str, str]
    weight: float | None
    probability: float | None
    values: tuple[tuple[str, str | None, str | None], ...]
    levels: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class Samples:
    """Attributes:
    groups: Heading -> pairs.
    sizes: Range of cluster sizes (both ends included; None: without end), clusters, records.
    largest: Cluster ids and sizes of the largest clusters of several records.
    """

    groups: dict[str, tuple[ShownPair, ...]]
    sizes: tuple[tuple[int, int | None, int, int], ...]
    largest: tuple[tuple[str, int], ...]


def take_samples(
    bench: Workbench,
    config: SplinkConfig,
    names: Names,
    weights: Collection[ComparisonWeights],
    sensitive: Collection[str],
) -> Samples:
    """Read a few pairs and the clusters' sizes; the same data give the same sample.

    Args:
        sensitive: Columns whose values are hidden, in any case of letters.
    """
    hidden = {column.lower() for column in sensitive}
    groups = {
        title: tuple(_pairs(bench, config, names, weights, hidden, chosen))
        for title, chosen in _choices(config).items()
    }
    secret = hidden.intersection(column.lower() for column in _identity(config))
    largest = bench.con.execute(f"""
        SELECT DISTINCT comboi_cluster::VARCHAR AS id, comboi_size AS size FROM {ASSIGNED} WHERE size > 1
        ORDER BY size DESC, id LIMIT {LARGEST_SHOWN}""").fetchall()
    return Samples(
        groups={title: pairs for title, pairs in groups.items() if pairs},
        sizes=tuple(_sizes(bench)),
        largest=tuple((HIDDEN if secret else name, size) for name, size in largest),
    )


def _choices(config: SplinkConfig) -> dict[str, str]:
    ends = "unique_id_l, unique_id_r"
    choices = {
        ABOVE: f"FROM {PAIRS} ORDER BY match_weight, {ends} LIMIT {PAIRS_PER_GROUP}",
        BELOW: f"""
            SELECT {NEAR}.* FROM {NEAR}
            JOIN {ASSIGNED} AS l ON l.comboi_number = unique_id_l JOIN {ASSIGNED} AS r ON r.comboi_number = unique_id_r
            WHERE l.comboi_cluster <> r.comboi_cluster ORDER BY match_weight DESC, {ends} LIMIT {PAIRS_PER_GROUP}""",
        "Far above the threshold": f"""
            FROM {PAIRS} WHERE match_weight > (SELECT median(match_weight) FROM {PAIRS})
            ORDER BY hash({ends}), {ends} LIMIT {PAIRS_PER_GROUP}""",
    }
    if config.labels:
        choices["Merged although the labels differ"] = f"""
            SELECT {PAIRS}.* FROM {PAIRS}
            JOIN {RECORDS} AS l ON l.{UNIQUE_ID} = unique_id_l JOIN {RECORDS} AS r ON r.{UNIQUE_ID} = unique_id_r
            WHERE l.{LABEL} <> r.{LABEL} ORDER BY match_weight DESC, {ends} LIMIT {PAIRS_PER_GROUP}"""
        # A label that very many share is no identity, and its pairs are too many to look for.
        choices["Not merged although the labels agree"] = f"""
            WITH labelled AS (
                SELECT {UNIQUE_ID} AS number, comboi_cluster AS cluster, {LABEL} AS label
                FROM {RECORDS} JOIN {ASSIGNED} ON comboi_number = {UNIQUE_ID} WHERE label IS NOT NULL
                QUALIFY count(*) OVER (PARTITION BY label) <= {_MOST_LABELLED}
            )
            SELECT l.number AS unique_id_l, r.number AS unique_id_r, NULL AS match_weight, NULL AS match_probability
            FROM labelled AS l JOIN labelled AS r USING (label)
            WHERE l.number < r.number AND l.cluster <> r.cluster
            ORDER BY hash({ends}), {ends} LIMIT {PAIRS_PER_GROUP}"""
    return choices


def _identity(config: SplinkConfig) -> list[str]:
    return [*([config.source_dataset_column_name] if config.links else []), config.unique_id_column_name]


def _pairs(
    bench: Workbench,
    config: SplinkConfig,
    names: Names,
    weights: Collection[ComparisonWeights],
    hidden: Collection[str],
    chosen: str,
) -> Iterator[ShownPair]:
    identity = _identity(config)
    matching = config.comparisons if config.retain_matching_columns else ()
    compared_ones = [column for one in matching for column in compared(one)]
    columns = distinct([*compared_ones, *config.additional_columns_to_retain])
    wanted = distinct([*identity, *columns])
    values = ", ".join(f"left({names.of(column)}_{side}::VARCHAR, {_LONGEST})" for column in wanted for side in "lr")
    sided = [column for column in wanted for _ in "lr"]
    levels = [one for one in weights if config.retain_intermediate_calculation_columns]
    numbers = "".join(f", {_level_number(one)}" for one in levels)
    both = ", ".join(f"{side}.{name} AS {name}_{side}" for name in names.columns for side in "lr")
    rows = bench.con.execute(f"""
        SELECT match_weight, match_probability, {values} {numbers}
        FROM (
            SELECT chosen.*, {both} FROM ({chosen}) AS chosen
            JOIN {RECORDS} AS l ON l.{UNIQUE_ID} = unique_id_l JOIN {RECORDS} AS r ON r.{UNIQUE_ID} = unique_id_r
        )
        ORDER BY abs(match_weight - {_nearest(config)}), unique_id_l, unique_id_r""").fetchall()
    for weight, probability, *found in rows:
        shown = [
            HIDDEN if column.lower() in hidden and value is not None else value
            for column, value in zip(sided, found, strict=False)
        ]
        left, right = (dict(zip(wanted, shown[side::2], strict=True)) for side in (0, 1))
        yield ShownPair(
            ids=(_named(left, identity), _named(right, identity)),
            weight=weight,
            probability=probability,
            values=tuple((column, left[column], right[column]) for column in columns),
            levels=tuple(
                (one.name, one.levels[number].label, one.levels[number].weight)
                for one, number in zip(levels, found[2 * len(wanted) :], strict=True)
            ),
        )


def _named(record: Mapping[str, str | None], identity: Sequence[str]) -> str:
    return " ".join(str(record[column]) for column in identity)


def _nearest(config: SplinkConfig) -> float:
    return config.threshold_weight if math.isfinite(config.threshold_weight) else HEAVIEST


def _level_number(comparison: ComparisonWeights) -> str:
    whens = " ".join(
        f"WHEN {'true' if level.condition == 'ELSE' else level.condition} THEN {number}"
        for number, level in enumerate(comparison.levels)
    )
    return f"CASE {whens} END"


def _sizes(bench: Workbench) -> Iterator[tuple[int, int | None, int, int]]:
    counted = bench.con.execute(f"""
        SELECT size, count(*) FROM (SELECT count(*) AS size FROM {ASSIGNED} GROUP BY comboi_cluster)
        GROUP BY size""").fetchall()
    lowest = 1
    for highest in (*_SIZES, None):
        inside = [(size, many) for size, many in counted if size >= lowest and (highest is None or size <= highest)]
        if inside:
            yield lowest, highest, sum(many for _, many in inside), sum(size * many for size, many in inside)
        lowest = (highest or 0) + 1
