"""One JSON object per line, whatever is logged."""

from __future__ import annotations

import json
import logging

import pytest

from comboi_core.telemetry.logs import LOGGER, JsonFormatter, log_to_file, work_context
from comboi_core.telemetry.redaction import redactor


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
