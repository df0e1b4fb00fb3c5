"""Ask comboi's orchestrators and entities again what they were asked: `python -m benchmarks.histories.replay FOLDER`.

Each exchange of `capture` goes through the installed azure-functions-durable in this process, twice, without a host.
Every answer has to be the recorded one, or the exit code is 1: then an orchestrator is not deterministic, or its code
or the SDK changed in a way that breaks instances that are under way.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections import Counter
from pathlib import Path

from azure.functions import get_binding_registry
from azure.functions.meta import Datum

from benchmarks.histories.tape import LABEL, Exchange, outcome, read
from durable_local.loader import FunctionApp, load_app

ROOT = Path(__file__).resolve().parent.parent.parent
REPETITIONS = 2


def replay(folder: Path, app_dir: Path = ROOT) -> tuple[Counter[str], list[str]]:
    """Ask everything again; returns how many exchanges of each scenario there are, and a line per different answer."""
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    app = load_app(app_dir)
    asked: Counter[str] = Counter()
    different = []
    for number, exchange in enumerate(read(folder), 1):
        asked[exchange.scenario] += 1
        wanted = (outcome(exchange.answer), exchange.raised)
        for _ in range(REPETITIONS):
            answer, raised = ask(app, exchange)
            if (outcome(answer), raised) != wanted:
                different.append(f"line {number}, {exchange.scenario}, {exchange.function}: {answer[:500]}")
                break
    return asked, different


def ask(app: FunctionApp, exchange: Exchange) -> tuple[str, bool]:
    """One call as the worker makes it; returns the answer's JSON text, and whether the function raised."""
    table = app.orchestrators if exchange.trigger == "orchestrationTrigger" else app.entities
    info = table[exchange.function.lower()]
    argument = (
        get_binding_registry().get(exchange.trigger).decode(Datum(exchange.request, "string"), trigger_metadata=None)
    )
    try:
        return info.call(**{info.trigger.name: argument}), False
    except Exception as error:
        return str(error).rpartition(LABEL)[2], True


def main() -> None:
    """Replay a folder and say what was different."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where exchanges.jsonl is")
    asked, different = replay(parser.parse_args().folder)
    version = importlib.metadata.version("azure-functions-durable")
    for scenario, count in asked.items():
        print(f"{scenario}: {count} exchanges")
    print("\n".join(different) if different else f"all equal with azure-functions-durable {version}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
