"""An embedded Azure Durable Functions host: runs a Python function app on one SQLite file, without Azure."""

from __future__ import annotations

import logging

from .clock import Clock, TravelClock
from .errors import AppLoadError, DurableLocalError, HostStoppedError, HubLockedError, UnknownInstanceError
from .faults import Faults
from .host import Host
from .worker import WorkerDeath

# A library says nothing unless its user configures logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "AppLoadError",
    "Clock",
    "DurableLocalError",
    "Faults",
    "Host",
    "HostStoppedError",
    "HubLockedError",
    "TravelClock",
    "UnknownInstanceError",
    "WorkerDeath",
]
