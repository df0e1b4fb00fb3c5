"""Timer triggers that leave a line per run in the file TIMER_LOG."""

from __future__ import annotations

import json
import os
import threading
import time

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp()
overlapping = threading.Semaphore(1)


def note(name: str, timer: func.TimerRequest, **extra) -> None:
    line = {
        "name": name,
        "past_due": timer.past_due,
        "last": timer.schedule_status.get("Last"),
        "next": timer.schedule_status.get("Next"),
        **extra,
    }
    with open(os.environ["TIMER_LOG"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


@app.timer_trigger(arg_name="timer", schedule="%DAILY%")
def daily(timer: func.TimerRequest) -> None:
    note("daily", timer)


@app.timer_trigger(arg_name="timer", schedule="0 0 12 * * *")
@app.durable_client_input(client_name="client")
async def starter(timer: func.TimerRequest, client) -> None:
    note("starter", timer, id=await client.start_new("nothing"))


@app.timer_trigger(arg_name="timer", schedule="* * * * * *", use_monitor=False)
def every_second(timer: func.TimerRequest) -> None:
    alone = overlapping.acquire(blocking=False)
    note("every_second", timer, alone=alone)
    time.sleep(0.2)
    overlapping.release()


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    note("at_start", timer)
    raise RuntimeError("a failing timer does not disturb the others")


@app.orchestration_trigger(context_name="context")
def nothing(context):
    return "nothing"
