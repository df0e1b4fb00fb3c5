"""pytest for CI: a test that fails is run once more, alone, and the run fails if it fails again.

    python .ci/again.py ARGUMENTS OF PYTEST

The machine of CI is small and shared, so a test that depends on time can fail there without a fault in the code. Such a
test is named as UNSTEADY, loudly, for somebody to mend it. Nothing else is forgiven: neither an error while tests are
collected, nor a worker that dies, nor a run that ends early, nor one without tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

ONE = "--one-run-of-again"
"""First argument of a process that makes one of the runs. After it come the file to report to, the file with the ids of
the only tests to run, which is empty for all, and pytest's arguments."""


@dataclass
class Run:
    """What came of one run of pytest.

    Attributes:
        passed: Ids of tests of which every phase passed.
        failed: Ids of tests of which a phase failed.
        broken: What may not be forgiven, a line each.
    """

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Watch:
    """A plugin of the process that the user started, which hears of the tests of all workers.

    Args:
        kept: Ids of the only tests to run; empty for all.
    """

    def __init__(self, kept: set[str]) -> None:
        self.run = Run()
        self._kept = kept

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what has not failed. Runs only where there are no workers."""
        if self._kept:
            config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in self._kept])
            items[:] = [item for item in items if item.nodeid in self._kept]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported."""
        if report.failed:
            self.run.broken.append(f"not collected: {report.nodeid}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test: setup, call or teardown. xdist tells of the death of a worker as another one."""
        if report.when not in ("setup", "call", "teardown"):
            self.run.broken.append(f"the worker died: {report.nodeid}")
        elif report.failed and report.nodeid not in self.run.failed:
            self.run.failed.append(report.nodeid)
        elif report.passed and report.when == "call":
            self.run.passed.append(report.nodeid)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Somebody, or a test, ended the run before all tests were through, with whatever exit code."""
        self.run.broken.append(f"ended early: {excinfo.value!r}")


def one(report: Path, kept: Path, arguments: list[str]) -> int:
    """Make a run in this process and write what came of it; return pytest's exit code."""
    watch = Watch(set(json.loads(kept.read_text(encoding="utf-8"))))
    code = pytest.main(arguments, plugins=[watch])
    watch.run.passed = [name for name in watch.run.passed if name not in watch.run.failed]
    report.write_text(json.dumps(asdict(watch.run)), encoding="utf-8")
    return code


def begin(folder: Path, kept: list[str], arguments: list[str]) -> tuple[int, Run]:
    """Make a run in a process of its own; return its exit code and what came of it."""
    report, ids = folder / "report.json", folder / "kept.json"
    report.unlink(missing_ok=True)
    ids.write_text(json.dumps(kept), encoding="utf-8")
    code = subprocess.run([sys.executable, __file__, ONE, str(report), str(ids), *arguments]).returncode
    run = Run(**json.loads(report.read_text(encoding="utf-8"))) if report.exists() else Run()
    if not report.exists() or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        run.broken.append(f"pytest ended with {code}")  # no tests, an unknown option, an error of its own, a signal
    return code or bool(run.broken), run


def main(arguments: list[str]) -> int:
    """Run the tests, and once more those that fail; return the exit code."""
    if arguments[:1] == [ONE]:
        return one(Path(arguments[1]), Path(arguments[2]), arguments[3:])
    with tempfile.TemporaryDirectory(prefix="again-") as folder:
        code, first = begin(Path(folder), [], arguments)
        if code == 0:
            return 0
        if first.broken or not first.failed:
            say("NOT RUN AGAIN, for more than tests failed", first.broken)
            return code
        say("RUN AGAIN, alone", first.failed)
        files = sorted({name.split("::")[0] for name in first.failed})
        code, second = begin(Path(folder), first.failed, [*arguments, "-n", "0", *files])
    still = [name for name in first.failed if name not in second.passed]
    say("UNSTEADY: failed, then passed alone. To be mended", [name for name in first.failed if name in second.passed])
    say("FAILED TWICE", still)
    say("BROKEN", second.broken)
    return code or bool(still or second.broken)


def say(title: str, lines: list[str]) -> None:
    """Print a list, if there is anything in it, such that nobody misses it."""
    if lines:
        print(f"\n{'=' * 20} {title}: {len(lines)} {'=' * 20}", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
