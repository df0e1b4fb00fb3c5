"""Runs a reducer of `comboi_core.state` as a durable entity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import azure.durable_functions as df


def run_operation(
    context: df.DurableEntityContext,
    initial: Callable[[], Any],
    operations: Mapping[str, Callable[[Any, Any], tuple[Any, Mapping[str, Any]]]],
) -> None:
    """Apply one operation. State and result are always set: the SDK would let an earlier operation's leak in.

    Raises:
        ValueError: unknown operation; the caller sees it as the operation's error.
    """
    reduce = operations.get(context.operation_name or "")
    if reduce is None:
        raise ValueError(f"unknown operation '{context.operation_name}'; there are {', '.join(sorted(operations))}")
    state, result = reduce(context.get_state(initial), context.get_input() or {})
    context.set_state(state)
    context.set_result(result)
