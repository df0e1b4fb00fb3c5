"""Each thing that a run needs is broken once; the doctor finds it and says how to mend it."""

from __future__ import annotations

import json
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import typer
import yaml
from typer.testing import CliRunner

from comboi_core.app.logs import VARIABLE
from comboi_core.cli.doctor import doctor as command
from comboi_core.devtools import doctor, doctor_machine
from comboi_core.devtools.doctor import diagnose
from comboi_core.devtools.doctor_machine import function_app, packages
from comboi_core.secrets.vault import forget_vaults
from comboi_core.sources.postgres import facts
from comboi_core.telemetry import insights
from tests.doubles.identity import signed_in
from tests.doubles.ingestion import IngestionDouble
from tests.doubles.tds.remote import Doubles
from tests.support.azure_sql import PASSWORD, USER
from tests.support.project import PASSWORD_VARIABLE, Project

Change = Callable[[dict], None]


@pytest.fixture
def patient(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A healthy project in this process; importing the function app is looked at by itself."""
    monkeypatch.setenv(PASSWORD_VARIABLE, project.env[PASSWORD_VARIABLE])
    monkeypatch.setenv("COMBOI_CONFIG", str(project.folder / "configs" / "initial.yml"))
    for name in ("COMBOI_LAKE_ROOT", VARIABLE, "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor, "function_app", lambda config: iter(()))
    monkeypatch.setattr(doctor, "packages", lambda: iter(()))
    return project


@pytest.fixture
def ingestion() -> Iterator[IngestionDouble]:
    """An endpoint of Application Insights."""
    double = IngestionDouble()
    yield double
    double.close()


def configure(project: Project, change: Change) -> None:
    file = project.folder / "configs" / "initial.yml"
    config = yaml.safe_load(file.read_text())
    change(config)
    file.write_text(yaml.safe_dump(config))


def wrong(findings=None):
    """Return what is wrong, by check."""
    found = list(diagnose() if findings is None else findings)
    assert all(bool(finding.remedy) != finding.ok for finding in found), "a remedy stands where one is needed"
    return {finding.check: finding for finding in found if not finding.ok}


def test_a_healthy_project_has_every_part_of_it_told(patient):
    found = list(diagnose())

    assert not wrong(found)
    told = {(finding.check, finding.told.split(":")[0]) for finding in found}
    assert {check for check, _ in told} == {
        "configuration",
        "vault",
        "source shop",
        "lake bronze",
        "lake silver",
        "lake gold",
        "disk",
        "telemetry",
    }
    texts = " ".join(finding.told for finding in found)
    assert "PostgreSQL 1" in texts and "3 of 3 tables can be read" in texts and "differ by 0.0 s" in texts
    for stage in ("bronze", "silver", "gold"):
        assert not list((patient.folder / "lake" / stage).rglob("*.parquet"))


def test_a_configuration_that_cannot_be_read_is_all_that_is_told(patient):
    patient.edit("configs/initial.yml", "pipeline: shop", "pipline: shop")

    (finding,) = wrong().values()

    assert finding.check == "configuration" and "initial.yml" in finding.told and "pipeline" in finding.told


def test_a_script_that_is_missing_is_found_and_the_rest_is_tried(patient):
    (patient.folder / "transformations" / "orders_clean.sql").unlink()

    assert "orders_clean" in wrong()["configuration"].told


def test_a_server_that_does_not_run_is_told_once(patient, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "postgresql://comboi:hunter2-secret@127.0.0.1:1/shop")

    found = list(diagnose())

    (finding,) = [finding for finding in found if not finding.ok]
    assert finding.check == "source shop" and "firewall" in finding.remedy and "hunter2" not in str(found)


def test_a_login_that_is_refused_is_told_with_its_remedy(patient, database, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, database.uri.replace("postgres@", "nobody_known@"))

    finding = wrong()["source shop"]

    assert "password" in finding.remedy or "role" in finding.remedy


def test_a_table_that_is_gone_is_named_and_the_others_can_be_read(patient):
    configure(patient, lambda config: config["sources"][0]["tables"][1].update(table="shop.gone"))

    found = list(diagnose())

    assert "gone" in wrong(found)["source shop"].told
    assert "2 of 3 tables can be read" in " ".join(finding.told for finding in found)


def test_a_table_that_the_role_may_not_read_is_named(patient, database, monkeypatch):
    database.psql(
        "CREATE ROLE doctor_reader LOGIN; GRANT USAGE ON SCHEMA shop TO doctor_reader; "
        "GRANT SELECT ON shop.orders, shop.events TO doctor_reader"
    )
    monkeypatch.setenv(PASSWORD_VARIABLE, database.uri.replace("postgres@", "doctor_reader@"))

    found = list(diagnose())

    assert "customers" in wrong(found)["source shop"].told
    assert "pg_read_all_stats" in " ".join(finding.told for finding in found)


@pytest.mark.parametrize("applies", [False, True])
def test_row_level_security_is_told_with_its_policies(patient, database, monkeypatch, applies):
    database.psql(
        "DROP ROLE IF EXISTS doctor_tenant; CREATE ROLE doctor_tenant LOGIN IN ROLE pg_read_all_data;"
        "ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY; ALTER TABLE shop.events ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY mine ON shop.orders FOR SELECT TO doctor_tenant USING (customer_id = 1)"
    )
    monkeypatch.setenv(PASSWORD_VARIABLE, database.uri.replace("postgres@", "doctor_tenant@"))
    if applies:
        configure(patient, lambda config: config["sources"][0]["connection"].update(row_security="apply"))

    found = list(diagnose())

    texts = " ".join(finding.told for finding in found)
    if applies:
        assert "let the role see are landed, of shop.orders (policy mine)" in texts
        assert "let the role see are landed, of shop.events (no policy lets rows through)" in texts
        assert "source shop" not in wrong(found)
    else:
        assert "hides rows of shop.orders from the role (policy mine)" in texts
        assert "BYPASSRLS" in wrong(found)["source shop"].remedy and "1 of 3 tables can be read" in texts


def test_a_server_that_is_too_old_is_told(patient, monkeypatch):
    monkeypatch.setattr(facts, "OLDEST", 999_999)

    assert "newer" in wrong()["source shop"].remedy


def test_a_clock_that_is_wrong_is_told(patient, monkeypatch):
    class Wrong(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr(facts, "datetime", Wrong)

    finding = wrong()["source shop"]

    assert "differ by" in finding.told and "NTP" in finding.remedy


@pytest.mark.slow
def test_sql_server_is_logged_in_to_and_a_wrong_password_is_told(patient, monkeypatch, tmp_path):
    with Doubles() as doubles, doubles.server(users={USER: PASSWORD}, tokens=(), certificate=None) as server:
        server.run("CREATE SCHEMA crm")
        server.run("CREATE TABLE crm.orders (id int PRIMARY KEY)")
        connection = {"server": server.address, "database": "crm", "user": USER, "encrypt": "no"}
        connection["password"] = "{{env:CRM_PASSWORD}}"
        source = {"name": "crm", "type": "azure_sql", "connection": connection}
        source["tables"] = [{"name": "orders", "table": "crm.orders"}]
        configure(patient, lambda config: config["sources"].append(source))

        monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
        assert not wrong()
        monkeypatch.setenv("CRM_PASSWORD", "not-the-password")
        assert "password" in wrong()["source crm"].remedy


@pytest.mark.slow
def test_what_an_azure_sql_login_does_not_see_and_what_tables_want_is_told(patient):
    with Doubles() as doubles, doubles.server(users={USER: PASSWORD}, tokens=(), certificate=None) as server:
        server.run("CREATE SCHEMA crm")
        server.run("CREATE TABLE crm.orders (id nvarchar(9) NOT NULL PRIMARY KEY, at datetime2)")
        connection = {"server": server.address, "database": "crm", "user": USER, "encrypt": "no", "password": PASSWORD}
        table = {"name": "orders", "table": "crm.orders", "primary_key": ["id"], "incremental_column": "at"}
        source = {"name": "crm", "type": "azure_sql", "connection": connection, "tables": [table]}
        configure(patient, lambda config: config["sources"].append(source))

        def told() -> str:
            found = [one for one in diagnose() if one.check == "source crm"]
            assert all(one.ok for one in found)
            return "\n".join(one.told for one in found)

        for text in ("VIEW DATABASE STATE", "VIEW DEFINITION"):
            assert text not in told()
        assert "orders: at is datetime2(7), without an offset" in told() and "`lag: 65m`" in told()
        assert "orders: the source compares the key id" in told()
        server.set(shows_state=False, shows_definition=False)
        assert "grant it VIEW DATABASE STATE), so the tables' `lag` applies" in told()
        assert "grant it VIEW DEFINITION" in told()


def test_a_lake_that_cannot_be_written_is_told(patient):
    (patient.folder / "lake").mkdir()
    (patient.folder / "lake" / "silver").write_text("a file, where the folder should be")

    assert set(wrong()) == {"lake silver"}


def test_a_lake_in_azure_without_its_container_is_told(patient, storage, monkeypatch):
    monkeypatch.setenv("LAKE", storage.connection_string.replace("AccountKey=", "AccountKey=AAAA"))
    lake = {"connection_string": "{{env:LAKE}}", "file_system": "doctor-test"}
    configure(patient, lambda config: config["stages"]["gold"].update(data_lake=lake))

    assert set(wrong()) == {"lake gold"}
    monkeypatch.setenv("LAKE", storage.connection_string)
    assert not wrong()


def test_a_secret_without_a_vault_is_told(patient):
    configure(patient, lambda config: config.update(masking={"salt": "{{keyvault:salt}}"}))

    finding = wrong()["vault"]

    assert "{{keyvault:salt}}" in finding.told and "key_vault" in finding.remedy


def test_a_vault_that_does_not_answer_is_told(patient, monkeypatch):
    monkeypatch.setattr("azure.core.pipeline.policies.RetryPolicy.sleep", lambda *_, **__: None)
    forget_vaults()
    change = {"key_vault": {"vault_url": "https://127.0.0.1:1/"}, "masking": {"salt": "{{keyvault:salt}}"}}
    configure(patient, lambda config: config.update(change))

    finding = wrong()["vault"]

    assert "{{keyvault:salt}} in https://127.0.0.1:1/" in finding.told


def test_a_full_disk_is_told(patient, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor_machine.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 10**6))

    assert "Free space" in wrong()["disk"].remedy


def test_a_folder_for_spilling_that_cannot_be_is_told(patient, tmp_path):
    (tmp_path / "file").write_text("")
    configure(patient, lambda config: config["engine"].update(temp_directory=str(tmp_path / "file" / "below")))

    assert "temp_directory" in wrong()["disk"].remedy


def test_telemetry_is_posted_and_an_endpoint_that_is_gone_is_told(patient, ingestion, monkeypatch):
    monkeypatch.setenv("INSIGHTS", ingestion.connection_string)
    configure(patient, lambda config: config["monitoring"].update(azure_connection_string="{{env:INSIGHTS}}"))
    assert not wrong() and "doctor" in ingestion.rows("traces")[0]["message"]

    ingestion.statuses = [400]
    assert "refused" in wrong()["telemetry"].remedy
    monkeypatch.setattr(insights, "TIMEOUT", 1.0)
    ingestion.close()
    assert "network" in wrong()["telemetry"].remedy
    monkeypatch.setenv("INSIGHTS", "InstrumentationKey=nonsense")
    assert "portal" in wrong()["telemetry"].remedy


@pytest.mark.slow
def test_telemetry_by_identity_is_posted_and_what_it_lacks_is_told(patient, ingestion, monkeypatch):
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", ingestion.connection_string)
    monkeypatch.setenv("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "Authorization=AAD")
    with signed_in(monkeypatch) as identity:
        ingestion.tokens = {identity.token}
        assert not wrong()

        ingestion.tokens = set()
        assert "Monitoring Metrics Publisher" in wrong()["telemetry"].remedy
        identity.status = 400
        assert "az login" in wrong()["telemetry"].remedy
    monkeypatch.setenv("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "AAD")
    assert "APPLICATIONINSIGHTS_AUTHENTICATION_STRING" in wrong()["telemetry"].remedy


def test_a_webhook_that_is_none_is_told_and_none_is_called(patient, monkeypatch):
    monkeypatch.setenv("HOOK", "hooks.example.com/secret-path")
    hooks = [{"on": ["failed"], "webhook": "{{env:HOOK}}"}, {"on": ["failed"], "webhook": "https://127.0.0.1:1/x"}]
    configure(patient, lambda config: config.update(notifications=hooks))

    assert set(wrong()) == {"webhook 1"} and "secret-path" not in str(wrong())


def test_what_nobody_foresaw_is_a_finding(patient, monkeypatch):
    def broken(_):
        raise RuntimeError("pwd=hunter2 broke")

    monkeypatch.setattr(doctor, "CHECKS", (("disk", broken), *doctor.CHECKS))

    finding = wrong()["disk"]

    assert finding.told == "RuntimeError: pwd=*** broke"


def test_packages_that_differ_from_their_pins_are_named(tmp_path):
    pins = tmp_path / "requirements.txt"
    pins.write_text(
        "# what is needed\n\npydantic==0.0.1  # old\nno-such-package-here==1\n"
        'pyyaml==0.0.1; python_version < "3"\nrich>=1\n'
    )

    (finding,) = wrong(packages(pins)).values()

    assert "pydantic" in finding.told and "no-such-package-here is not installed" in finding.told
    assert "pyyaml" not in finding.told and "rich" not in finding.told


def test_the_function_app_of_this_checkout_can_be_imported_and_a_broken_one_not(patient, tmp_path):
    config = patient.folder / "configs" / "initial.yml"
    assert not wrong(function_app(config))

    (tmp_path / "function_app.py").write_text("import nothing_of_that_name")
    assert "nothing_of_that_name" in wrong(function_app(config, tmp_path))["function app"].told
    assert "does not exist" in wrong(function_app(config, tmp_path / "nowhere"))["function app"].told


def test_the_command_shows_signs_remedies_json_and_exit_codes(patient, monkeypatch):
    app = typer.Typer()
    app.command()(command)
    runner = CliRunner()

    healthy = runner.invoke(app, ["--json"])
    monkeypatch.setenv(PASSWORD_VARIABLE, "postgresql://comboi:hunter2-secret@127.0.0.1:1/shop")
    ill, machine = runner.invoke(app, []), runner.invoke(app, ["--json"])

    assert healthy.exit_code == 0 and json.loads(healthy.stdout)["ok"]
    assert (ill.exit_code, machine.exit_code) == (1, 1)
    assert "✓ lake bronze" in ill.stdout and "✗ source shop" in ill.stdout and "what to do: " in ill.stdout
    (finding,) = [item for item in json.loads(machine.stdout)["findings"] if not item["ok"]]
    assert finding["check"] == "source shop" and finding["remedy"]
