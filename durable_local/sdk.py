"""Every place where the host reaches into the SDK's own modules, beyond calling its functions."""

from __future__ import annotations

import functools
import logging
import sys
import warnings

from azure.durable_functions.models.utils import http_utils

_HISTORY_MODULE = "azure.durable_functions.models.history.HistoryEvent"
_CACHED_TIMESTAMPS = 10_000
"""More than the events of the histories that are replayed at a time; ten times as many take 30 MB for nothing."""


def quieten() -> None:
    """Keep the SDK's notices about itself from the user's terminal; levels that someone set are left alone.

    Its payload codec warns on every replay when an orchestrator is passed as a function object, since the wrapper
    around each orchestrator is annotated `-> str`; hence ERROR there.
    """
    warnings.filterwarnings("ignore", message=r"azure\.functions ", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message="Potential duplicate Task completion")
    for name, level in (("azure", logging.WARNING), ("azure.functions.DurableFunctions", logging.ERROR)):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(level)


def remember_timestamps() -> None:
    """Have the SDK parse each history timestamp once instead of once per replay: most of a long replay's time."""
    module = sys.modules.get(_HISTORY_MODULE)
    parse = getattr(module, "dt_parse", None)
    if module is not None and parse is not None and not hasattr(parse, "cache_info"):
        vars(module)["dt_parse"] = functools.lru_cache(_CACHED_TIMESTAMPS)(parse)


async def close_client_session() -> None:
    """Close the HTTP session that the SDK's clients share in this process."""
    await http_utils._close_session()
