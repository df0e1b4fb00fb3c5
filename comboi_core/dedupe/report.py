"""What deduplication found, in figures."""

from __future__ import annotations

from dataclasses import dataclass

from comboi_core.config.splink import SplinkConfig
from comboi_core.dedupe.survivors import ASSIGNED
from comboi_core.dedupe.workbench import LABEL, RECORDS, UNIQUE_ID, Workbench
from comboi_core.domain.contracts.building import DuplicatesRecord
from comboi_core.duckdb.rows import one_row


@dataclass(frozen=True)
class DedupeReport:
    """Figures for the run record.

    Attributes:
        clusters: Distinct entities, those of one record included; this many records survive.
        duplicates: Records that another one stands for: records - clusters.
        largest_cluster: Records in the largest cluster; a large one often means a value that many share.
        precision: Share of the merged pairs that are true, where labels are known. None if nothing was merged.
        recall: Share of the true pairs that were merged, among all true pairs. None if there are none.
        f1: Harmonic mean of the two; None if there are neither merged nor true pairs.
        remarks: What a reader of the figures should know, e.g. a rule that found nothing.
    """

    records: int
    clusters: int
    duplicates: int
    largest_cluster: int
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    remarks: tuple[str, ...] = ()

    def record(self) -> DuplicatesRecord:
        """Return the figures as data."""
        return {
            "records": self.records,
            "clusters": self.clusters,
            "duplicates": self.duplicates,
            "largest_cluster": self.largest_cluster,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "remarks": list(self.remarks),
        }


def make_report(bench: Workbench, config: SplinkConfig, remarks: tuple[str, ...]) -> DedupeReport:
    """Count the clusters of ASSIGNED and, where the true identity is known, compare with it."""
    sizes = f"SELECT count(*) AS size FROM {ASSIGNED} GROUP BY comboi_cluster"
    records, clusters, largest = one_row(
        bench.con, f"SELECT coalesce(sum(size), 0), count(*), coalesce(max(size), 0) FROM ({sizes})"
    )
    scores = _scores(bench) if config.labels else {}
    return DedupeReport(int(records), clusters, int(records) - clusters, largest, **scores, remarks=remarks)


def _scores(bench: Workbench) -> dict[str, float | None]:
    """Look at all pairs of labelled records, not only those that a blocking rule compares."""
    labelled = f"""
        SELECT comboi_cluster, {LABEL} FROM {ASSIGNED} JOIN {RECORDS} ON {UNIQUE_ID} = comboi_number
        WHERE {LABEL} IS NOT NULL"""

    def pairs(keys: str) -> int:
        groups = f"SELECT count(*)::HUGEINT AS n FROM ({labelled}) GROUP BY {keys}"
        return int(one_row(bench.con, f"SELECT coalesce(sum(n * (n - 1) // 2), 0) FROM ({groups})")[0])

    merged, true, both = pairs("comboi_cluster"), pairs(LABEL), pairs(f"comboi_cluster, {LABEL}")
    return {
        "precision": _share(both, merged),
        "recall": _share(both, true),
        "f1": _share(2 * both, merged + true),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
