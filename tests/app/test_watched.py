"""Folders of comboi's own that the Functions host would watch are refused, there and nowhere else."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from comboi_core.app import watched, workspace
from comboi_core.app.loader import load
from comboi_core.domain.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app's folder with the project in it, as the shipped configuration has it."""
    (tmp_path / "configs").mkdir()
    stages = {stage: {"data_lake": {"path": f"lake/{stage}"}} for stage in ("bronze", "silver", "gold")}
    tables = [{"name": "orders", "table": "public.orders"}]
    source = {"name": "shop", "type": "postgres", "connection": {"conn_str": "postgresql://db"}, "tables": tables}
    document = {
        "pipeline": "shop",
        "sources": [source],
        "stages": stages,
        "monitoring": {"log_path": "logs/comboi.log"},
    }
    (tmp_path / "configs" / "initial.yml").write_text(yaml.safe_dump(document))
    (tmp_path / "configs" / "transformations.yml").write_text("silver: []\n")
    return tmp_path


@pytest.fixture(params=watched.WORKERS)
def worker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, request.param, ModuleType(request.param))


@pytest.mark.parametrize("text", ["{}", '{"version": "2.0", "extensions": {"fileWatchingEnabled": false}}', None])
def test_folders_below_a_watched_app_are_refused_by_name(app: Path, worker: None, text: str | None):
    if text is not None:
        (app / "host.json").write_text(text)
    with pytest.raises(ConfigError) as refused:
        watched.refuse_watched(load(app / "configs" / "initial.yml"), app)
    assert "stages.bronze.data_lake.path" in refused.value.message and "monitoring.log_path" in refused.value.message
    assert "fileWatchingEnabled" in refused.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        '{"fileWatchingEnabled": false}',
        '{"FILEWATCHINGENABLED": "False"}',
        '{\n// off\n "fileWatchingEnabled": false,}',
    ],
)
def test_an_app_that_is_not_watched_may_hold_them(app: Path, worker: None, text: str):
    (app / "host.json").write_text(text)
    watched.refuse_watched(load(app / "configs" / "initial.yml"), app)


def test_an_app_setting_overrides_the_file(app: Path, worker: None, monkeypatch: pytest.MonkeyPatch):
    (app / "host.json").write_text('{"fileWatchingEnabled": false}')
    monkeypatch.setenv("AzureFunctionsJobHost__fileWatchingEnabled", "true")
    with pytest.raises(ConfigError):
        watched.refuse_watched(load(app / "configs" / "initial.yml"), app)


def test_folders_elsewhere_are_no_matter(app: Path, worker: None, tmp_path_factory: pytest.TempPathFactory):
    watched.refuse_watched(load(app / "configs" / "initial.yml"), tmp_path_factory.mktemp("app"))


def test_the_embedded_host_watches_nothing(app: Path):
    watched.refuse_watched(load(app / "configs" / "initial.yml"), app)


def test_the_project_is_refused_before_a_line_is_logged(app: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "azure_functions_worker", ModuleType("azure_functions_worker"))
    monkeypatch.setenv("COMBOI_CONFIG", str(app / "configs" / "initial.yml"))
    monkeypatch.setattr(workspace, "refuse_watched", lambda project: watched.refuse_watched(project, app))
    with pytest.raises(ConfigError):
        workspace.open_workspace()
    assert not (app / "logs").exists()


def test_comboi_s_own_host_json_turns_watching_off_at_the_top():
    assert json.loads((ROOT / "host.json").read_text())["fileWatchingEnabled"] is False
    assert not watched.watches(ROOT)
