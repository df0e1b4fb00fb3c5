"""Entities and sub-orchestrations in spite of the host: what it ended by restarting is called again.

While a Functions host restarts, or has lost its Python worker, the Durable extension takes that for the result of what
runs: orchestrations, entity operations and activities fail, although nothing is wrong with them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from comboi_core.domain.errors import HostFailed
from comboi_core.domain.host import is_host_fault

PAUSES = (2, 8, 30)
"""Seconds before what the host ended is called again: a worker is back after some, a host after half a minute."""

Steps = Generator[Any, Any, Any]


def of_host(error: Exception) -> bool:
    """Tell whether a call failed because of the host, not because of what was called."""
    return is_host_fault(str(error))


def ask(context: df.DurableOrchestrationContext, *questions: tuple[df.EntityId, str, dict[str, Any]]) -> Steps:
    """Have entities do operations, all at the same time; use with `yield from`.

    Every operation of ours gives the same answer when it comes a second time, so all are asked again where one was
    lost with the host.

    Args:
        questions: Entity, operation, its input.

    Returns:
        The answers, in the order of the questions.

    Raises:
        HostFailed: the host fails again and again.
    """
    if not questions:
        return []
    for pause in (*PAUSES, None):
        results, lost = yield from _settled(context, [context.call_entity(*question) for question in questions])
        if lost is None:
            return [results[position] for position in range(len(questions))]
        yield from _paused(context, pause, lost)


def lead(
    context: df.DurableOrchestrationContext, job: dict[str, Any], *children: tuple[str, dict[str, Any], str]
) -> Steps:
    """Call sub-orchestrations, all at the same time; use with `yield from`.

    One that ended for the host's fault is called again, under an instance id and with a fence of its own: what the
    first one has left running cannot commit once the second one has opened the table.

    Args:
        job: `run_id` and `pipeline` of the run that they work for; its `interrupted` counts those that are called
            again.
        children: Orchestrator, its input, its instance id. A second call has `again` in its input.

    Returns:
        What they return, in their order.

    Raises:
        HostFailed: the host fails again and again.
        Exception: what the first one raised that failed for another reason; all have ended by then.
    """
    results: dict[int, Any] = {}
    fence: dict[str, Any] = {}
    for again, pause in enumerate((*PAUSES, None)):
        ending = f":again-{again}" if again else ""
        waiting = [number for number in range(len(children)) if number not in results]
        tasks = []
        for number in waiting:
            orchestrator, given, instance = children[number]
            given = {**given, **fence, "again": again} if again else given
            tasks.append(context.call_sub_orchestrator(orchestrator, given, f"{instance}{ending}"))
        settled, lost = yield from _settled(context, tasks)
        results |= {number: settled[position] for position, number in enumerate(waiting) if position in settled}
        if lost is None:
            return [results[number] for number in range(len(children))]
        job["interrupted"] = job.get("interrupted", 0) + len(waiting) - len(settled)
        yield from _paused(context, pause, lost)
        (fence,) = yield from ask(
            context, (df.EntityId("pipeline", job["pipeline"]), "renew", {"run_id": job["run_id"]})
        )
        if "error" in fence:
            raise HostFailed(f"{fence['error']['message']}, after the host had failed")


def _settled(context: df.DurableOrchestrationContext, tasks: list[Any]) -> Steps:
    """Wait until all tasks have ended; return the results by place, and an error of the host's, or None.

    `task_all` ends with the first that fails, and the others' results would be gone.
    """
    with suppress(Exception):  # each one's is looked at below
        yield context.task_all(tasks) if len(tasks) > 1 else tasks[0]
    results, lost, failed = {}, None, None
    for position, task in enumerate(tasks):
        try:
            results[position] = yield task
        except Exception as error:
            if of_host(error):
                lost = lost or error
            else:
                failed = failed or error
    if failed:
        raise failed
    return results, lost


def _paused(context: df.DurableOrchestrationContext, pause: int | None, lost: Exception) -> Steps:
    if pause is None:
        raise HostFailed(f"the Functions host failed {len(PAUSES) + 1} times: {lost}")
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
