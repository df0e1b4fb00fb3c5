"""A bronze lake that is down: no record can be written, yet the failure is shown, and told once; so is its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import yaml

from tests.doubles.webhook import WebhookDouble
from tests.e2e.test_api import follow, served
from tests.support.patched import HASTY, Patched
from tests.support.project import CONFIG, Project

HOOK = "HOOK"
NOTIFIED = CONFIG | {
    "notifications": [{"on": ["failed", "recovered"], "webhook": f"{{{{env:{HOOK}}}}}", "format": "json"}]
}


@pytest.fixture
def service() -> Iterator[WebhookDouble]:
    """A service that takes alerts."""
    double = WebhookDouble()
    yield double
    double.close()


@pytest.mark.slow
def test_an_outage_is_told_once_is_in_the_history_and_its_end_is_told(project: Project, service: WebhookDouble):
    project = Patched.of(project, HASTY)
    project.write("configs/initial.yml", yaml.safe_dump(NOTIFIED))
    bronze = project.folder / "lake" / "bronze"
    bronze.parent.mkdir()
    bronze.write_text("a file where the folder should be")
    with served(project, **{HOOK: service.url}) as url:
        done = project.comboi("run", "bronze")
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 1 and "Traceback" not in said
        assert "[lake_unavailable]" in said and "lake/bronze" in said and "what to do: " in said
        lost = [requests.get(f"{url}/runs", timeout=300).json()["runs"][0]["run_id"]]
        record = follow(url, lost[0])
        assert (record["status"], record["error"]["code"]) == ("failed", "lake_unavailable")
        assert "lake/bronze" in record["error"]["message"] and record["error"]["remedy"] and record["unrecorded"]
        lost.append(requests.post(f"{url}/runs", json={"stage": "bronze"}, timeout=300).json()["run_id"])
        follow(url, lost[1])
        listed = requests.get(f"{url}/runs", timeout=300).json()
        assert [(run["run_id"], run["status"]) for run in listed["runs"]] == [(run, "failed") for run in lost[::-1]]
        assert listed["problems"][0]["code"] == "lake_unavailable"
        bronze.unlink()
        mended = requests.post(f"{url}/runs", json={"stage": "bronze"}, timeout=300).json()["run_id"]
        assert follow(url, mended)["status"] == "succeeded"

    assert service.events == [f"{lost[0]}/failed", f"{mended}/recovered"]
    assert service.payloads[0]["problems"][0]["code"] == "lake_unavailable"
