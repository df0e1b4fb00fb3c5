"""One JSON object per line, whatever is logged."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from comboi_core.domain.redaction import redactor
from comboi_core.telemetry.logs import LOGGER, JsonFormatter, guard_logs, log_to_file, work_context

ROOT = Path(__file__).parents[2]


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_records_are_lines_of_json_with_their_context(logger, tmp_path):
    log_to_file(tmp_path / "logs" / "comboi.log")

    logging.getLogger(f"{LOGGER}.activities").warning(
        "%s of %s", 'ä\n"b"', "c", extra={"run_id": "r1", "item": None, "x": 1}
    )

    (entry,) = lines(tmp_path / "logs" / "comboi.log")
    assert entry.pop("time").endswith("Z")
    assert entry == {"level": "warning", "message": 'ä\n"b" of c', "run_id": "r1", "item": None}


def test_a_traceback_is_kept_without_its_secrets(logger, tmp_path):
    redactor.add("sesame-of-this-test")
    log_to_file(tmp_path / "comboi.log")

    try:
        raise ValueError("postgresql://u:hunter2@db said sesame-of-this-test")
    except ValueError:
        logger.exception("failed with %s", "sesame-of-this-test", extra={"code": "sesame-of-this-test"})

    text = (tmp_path / "comboi.log").read_text()
    assert "hunter2" not in text and "sesame-of-this-test" not in text
    assert "ValueError: postgresql://u:***@db said ***" in json.loads(text)["traceback"]


def test_asked_again_for_the_same_file_nothing_is_logged_twice(logger, tmp_path):
    for _ in range(3):
        log_to_file(tmp_path / "sub" / ".." / "comboi.log")

    logger.info("once")

    assert len(lines(tmp_path / "comboi.log")) == 1


def test_a_log_file_that_cannot_be_written_costs_a_warning_only(logger, tmp_path, caplog):
    (tmp_path / "file").write_text("")

    with caplog.at_level(logging.WARNING, LOGGER):
        log_to_file(tmp_path / "file" / "comboi.log")

    assert "cannot write logs to" in caplog.text


def test_text_that_no_file_can_hold_does_not_lose_the_line(logger, tmp_path):
    log_to_file(tmp_path / "comboi.log")

    logger.info("half a character: \ud800!")

    assert lines(tmp_path / "comboi.log")[0]["message"] == "half a character: ?!"


def test_a_record_without_context_has_none():
    record = logging.LogRecord("comboi", logging.INFO, "f.py", 1, "hello", (), None)

    assert set(json.loads(JsonFormatter().format(record))) == {"time", "level", "message"}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, {}),
        ({"run_id": None, "item": None}, {}),
        ({"run_id": "r", "item": "no mapping", "attempt": 2}, {"run_id": "r", "attempt": 2}),
        ({"item": {"kind": "table", "name": "s.t"}}, {"item": "s.t", "table": "s.t"}),
        ({"item": {"kind": "dataset", "name": "d"}, "pipeline": "p"}, {"item": "d", "dataset": "d", "pipeline": "p"}),
        ({"item": {"name": "d"}}, {"item": "d"}),
    ],
)
def test_the_context_of_an_activity_is_what_its_payload_says(payload, expected):
    assert work_context(payload) == expected


@pytest.fixture
def guarded() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    guard_logs()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("guarded")
def test_records_of_every_logger_are_made_without_secrets_for_every_handler(caplog):
    redactor.add("sesame-of-this-test")
    foreign = logging.getLogger("some.library")

    foreign.warning("asked %s with %d", "sesame-of-this-test", 5)
    foreign.warning("asked %(key)s", {"key": "sesame-of-this-test"})
    foreign.warning("nothing %s", "here")
    try:
        raise ValueError("sesame-of-this-test")
    except ValueError:
        foreign.exception("it failed")

    assert "sesame-of-this-test" not in caplog.text and "ValueError: ***" in caplog.text
    assert [record.getMessage() for record in caplog.records][:3] == ["asked *** with 5", "asked ***", "nothing here"]
    assert caplog.records[2].args == ("here",), "a record without secrets stays as it is, arguments included"
    assert "sesame-of-this-test" not in repr([vars(record) for record in caplog.records])


@pytest.mark.usefixtures("guarded")
def test_arguments_that_do_not_fit_are_left_to_the_handler_and_guarding_twice_changes_nothing(caplog):
    factory = logging.getLogRecordFactory()
    guard_logs()
    assert logging.getLogRecordFactory() is factory

    record = factory("x", logging.INFO, "f", 1, "%d", ("no number",), None)
    assert record.args == ("no number",)


def test_the_function_app_guards_its_log_records_from_the_start():
    program = "import function_app, logging; print(type(logging.getLogRecordFactory()).__name__)"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300)

    assert done.stdout.strip() == "_Guard", done.stderr


def test_what_is_printed_and_what_nobody_caught_is_without_secrets():
    program = """if True:
        import sys, threading
        from comboi_core.domain.redaction import redactor
        from comboi_core.telemetry.logs import guard_logs
        guard_logs()
        guard_logs()
        redactor.add("sesame-of-this-test")
        print("it says", "sesame-of-this-test", flush=True)
        sys.stdout.writelines(["sesame-of-this-test\\n", f"{sys.stdout.isatty()} {sys.stdout.fileno()}\\n"])
        def fail():
            raise ValueError("sesame-of-this-" + "test")
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        fail()
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=ROOT)

    assert done.stdout == "it says ***\n***\nFalse 1\n"
    assert "sesame-of-this-test" not in done.stderr and done.stderr.count("ValueError: ***") == 2, done.stderr
