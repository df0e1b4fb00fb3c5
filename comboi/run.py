"""A run and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comboi_core.domain.errors import ComboiError


class RunFailed(ComboiError):
    """A run did not succeed, or readers do not see every row of it.

    Attributes:
        run: The run.
    """

    code = "run_failed"
    remedy = "Run `comboi status` shows what failed, and what to do about it."

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class Run:
    """What is known of a run.

    Attributes:
        record: The whole record, as `comboi status --json` prints it.
    """

    record: Mapping[str, Any]

    @property
    def run_id(self) -> str:
        """The run's id, e.g. `sales-20261123T060000Z-7f3a91`."""
        return str(self.record["run_id"])

    @property
    def status(self) -> str:
        """`running`, `succeeded`, `partial`, `failed`, `cancelled` or `unfinished`."""
        return str(self.record["status"])

    @property
    def succeeded(self) -> bool:
        """Whether all of it succeeded; readers may miss rows nevertheless, see `shortfalls`."""
        return self.status == "succeeded"

    @property
    def shortfalls(self) -> list[Mapping[str, Any]]:
        """What readers do not see although its load or build succeeded: `code`, `message`, `remedy`, `rows`, `item`."""
        return [
            {**shortfall, "item": name}
            for name, item in {**self.tables, **self.datasets}.items()
            for shortfall in item.get("shortfalls") or ()
        ]

    @property
    def tables(self) -> dict[str, Mapping[str, Any]]:
        """`source.table` -> what came of it: `status`, `rows`, `watermark`, `error`."""
        return {f"{one['source']}.{one['table']}": one for one in self.record.get("tables") or ()}

    @property
    def datasets(self) -> dict[str, Mapping[str, Any]]:
        """Name -> what came of it: `status`, `rows`, `checks`, `error`."""
        return {one["name"]: one for one in self.record.get("datasets") or ()}

    def raise_for_status(self, *, strict: bool = False) -> Run:
        """Return the run if it succeeded.

        Args:
            strict: Whether shortfalls count as failures, too.

        Raises:
            RunFailed: with the first error of the run, of a table or of a dataset.
        """
        if not self.succeeded:
            items = {"": self.record, **self.tables, **self.datasets}
            errors = [(name, item["error"]) for name, item in items.items() if item.get("error")]
            name, error = errors[0] if errors else ("", {"message": "no error is recorded"})
            where = f"{name}: " if name else ""
            raise RunFailed(f"run {self.run_id} {self.status}: {where}{error['message']}", self)
        if strict and self.shortfalls:
            first = self.shortfalls[0]
            raise RunFailed(f"run {self.run_id} has shortfalls: {first['item']}: {first['message']}", self)
        return self
