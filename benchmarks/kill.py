"""Kills `comboi run` many times at random instants and compares each outcome with an undisturbed run, row for row.

python benchmarks/kill.py --times 300 --seed 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from comboi_core.cli.demo.postgres import EmbeddedPostgres
from tests.support.killing import instants, kill_and_run_again, prepare


def main() -> int:
    """Print a line per fifty rounds and one at the end; 1 if any round differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kills, failures, began = 0, [], time.monotonic()
    with tempfile.TemporaryDirectory() as home, EmbeddedPostgres(Path(home) / "postgres") as database:
        undisturbed = prepare(Path(home), database)
        for number in range(options.times):
            with tempfile.TemporaryDirectory(dir=home) as folder:
                moments = instants(options.seed + number, undisturbed.seconds)
                try:
                    kills += kill_and_run_again(undisturbed, Path(folder) / "project", moments)
                except AssertionError as difference:
                    failures.append(f"round {number}, killed after {moments}: {str(difference)[:500]}")
            if number % 50 == 49:
                print(f"{number + 1} rounds, {kills} kills, {len(failures)} differ", flush=True)
    print(f"{options.times} rounds, {kills} kills, {len(failures)} differ, {time.monotonic() - began:.0f} s")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
