"""What can go wrong in the host itself, as opposed to in the functions it runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_KIND_TEXT = {
    "activity": "an activity function",
    "orchestrator": "an orchestrator function",
    "entity": "an entity function",
}


class DurableLocalError(Exception):
    """Base of the errors of this package."""


class AppLoadError(DurableLocalError):
    """The function app cannot be loaded, or the real worker would refuse it."""


class HubLockedError(DurableLocalError):
    """Another live host holds the store. `url` and `pid` are None while that host is still starting."""

    def __init__(self, url: str | None, pid: int | None) -> None:
        super().__init__(f"another host holds this store: pid {pid or 'unknown'}, {url or 'still starting'}")
        self.url = url
        self.pid = pid


class StoreError(DurableLocalError):
    """The store file is not one that this version can use."""


class HostStoppedError(DurableLocalError):
    """The host stopped while somebody waited for an instance."""


class UnknownInstanceError(DurableLocalError, LookupError):
    """No instance with that id is in the store."""


class UnknownFunctionError(DurableLocalError):
    """A name that the app does not define; the message lists the names that it does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known, key=str.lower)
        lowered = {candidate.lower(): candidate for candidate in names}
        close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
        hint = f" Did you mean '{lowered[close[0]]}'?" if close else ""
        listing = ", ".join(f"'{candidate}'" for candidate in names) or "none"
        what = _KIND_TEXT[kind]
        super().__init__(
            f"The function '{name}' doesn't exist or is not {what}. Known {kind} functions: {listing}.{hint}"
        )


class PayloadTooLargeError(DurableLocalError):
    """A custom status beyond what the extension takes."""


class WorkerLostError(DurableLocalError):
    """The language worker died under a call, or none was there: in tests only, since this host is its own worker."""


class NonDeterminismError(DurableLocalError):
    """The orchestrator's actions contradict its history."""
