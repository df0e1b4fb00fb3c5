"""What must be true of every environment: nothing public, no keys, the roles, validated variables."""

from __future__ import annotations

import re

import pytest

from tests.infra.terraform import infra

ROLES = {
    ("Storage Blob Data Owner", "azurerm_storage_account.runtime"),
    ("Storage Queue Data Contributor", "azurerm_storage_account.runtime"),
    ("Storage Table Data Contributor", "azurerm_storage_account.runtime"),
    ("Storage Blob Data Contributor", 'azurerm_storage_container.layer["bronze"]'),
    ("Storage Blob Data Contributor", 'azurerm_storage_container.layer["silver"]'),
    ("Storage Blob Data Contributor", 'azurerm_storage_container.layer["gold"]'),
    ("Key Vault Secrets User", "azurerm_key_vault.this"),
    ("Monitoring Metrics Publisher", "azurerm_application_insights.this"),
}
NAMESPACES = {
    "azurerm_application_insights": "Microsoft.Insights",
    "azurerm_consumption_budget": "Microsoft.Consumption",
    "azurerm_function_app": "Microsoft.Web",
    "azurerm_key_vault": "Microsoft.KeyVault",
    "azurerm_linux_function_app": "Microsoft.Web",
    "azurerm_log_analytics": "Microsoft.OperationalInsights",
    "azurerm_monitor": "Microsoft.Insights",
    "azurerm_private": "Microsoft.Network",
    "azurerm_role_assignment": "Microsoft.Authorization",
    "azurerm_service_plan": "Microsoft.Web",
    "azurerm_storage": "Microsoft.Storage",
    "azurerm_subnet": "Microsoft.Network",
    "azurerm_user_assigned_identity": "Microsoft.ManagedIdentity",
    "azurerm_virtual_network": "Microsoft.Network",
}
APPS = ("azurerm_function_app_flex_consumption", "azurerm_linux_function_app")


@pytest.mark.parametrize("account", infra().all("azurerm_storage_account"), ids=lambda block: block.name)
def test_no_account_takes_keys_anonymous_readers_or_old_tls(account):
    body = account.body
    assert body["shared_access_key_enabled"] is False
    assert body["allow_nested_items_to_be_public"] is False
    assert body["https_traffic_only_enabled"] is True
    assert body["min_tls_version"] == "TLS1_2"
    assert body["network_rules"][0]["default_action"] == "${local.default_action}"


def test_containers_are_private():
    containers = infra().all("azurerm_storage_container")
    assert {block.name for block in containers} == {"packages", "layer"}
    assert {block.body["container_access_type"] for block in containers} == {"private"}


def test_the_lake_has_folders_and_soft_delete_and_is_not_destroyed():
    lake = infra().one("azurerm_storage_account", "lake")
    assert lake["is_hns_enabled"] is True
    for policy in ("delete_retention_policy", "container_delete_retention_policy"):
        assert lake["blob_properties"][0][policy] == [{"days": "${var.soft_delete_days}"}]
    assert lake["lifecycle"] == [{"prevent_destroy": True}]
    assert infra().one("azurerm_storage_container", "layer")["lifecycle"] == [{"prevent_destroy": True}]


def test_durable_functions_does_not_get_an_account_with_folders():
    assert "is_hns_enabled" not in infra().one("azurerm_storage_account", "runtime")


def test_the_vault_goes_by_roles_and_cannot_be_purged():
    vault = infra().one("azurerm_key_vault", "this")
    assert vault["rbac_authorization_enabled"] is True
    assert vault["purge_protection_enabled"] is True
    assert vault["soft_delete_retention_days"] == 90


def test_the_identity_has_every_role_it_needs_and_no_more():
    given = {
        (entry["role"], entry["scope"].strip("${}").removesuffix(".id")) for entry in infra().locals["roles"].values()
    }
    assert given == ROLES


def test_roles_are_given_by_the_table_and_to_people_on_layers_vault_and_package_only():
    assignments = {block.name: block.body for block in infra().all("azurerm_role_assignment")}
    assert set(assignments) == {"app", "reader", "operator", "deployer"}
    assert assignments["deployer"]["scope"] == "${azurerm_storage_container.packages.id}"
    assert assignments["deployer"]["for_each"].startswith("${local.flex ? []")
    assert assignments["app"]["for_each"] == "${local.roles}"
    assert assignments["reader"]["role_definition_name"] == "Storage Blob Data Reader"
    assert assignments["operator"]["scope"] == "${azurerm_key_vault.this.id}"


@pytest.mark.parametrize("kind", APPS)
def test_apps_speak_https_with_tls_1_2_and_let_nobody_in_with_a_password(kind):
    app = infra().one(kind, "this")
    assert app["https_only"] is True
    assert app["webdeploy_publish_basic_authentication_enabled"] is False
    assert app["site_config"][0]["minimum_tls_version"] == "1.2"
    assert app["site_config"][0]["scm_minimum_tls_version"] == "1.2"
    assert app["identity"][0]["type"] == "UserAssigned"
    assert "${azurerm_role_assignment.app}" in app["depends_on"]
    assert "${azurerm_private_dns_zone_virtual_network_link.this}" in app["depends_on"]


def test_apps_are_reached_by_identity_not_by_keys():
    flex, linux = (infra().one(kind, "this") for kind in APPS)
    assert flex["storage_authentication_type"] == "UserAssignedIdentity"
    assert linux["storage_uses_managed_identity"] is True
    assert linux["content_share_force_disabled"] is True
    assert linux["ftp_publish_basic_authentication_enabled"] is False


def test_telemetry_is_taken_from_identities_with_the_role_only():
    insights = infra().one("azurerm_application_insights", "this")
    assert insights["local_authentication_disabled"] is True
    # The app and its role then have to do without the key, with the provider that has this argument.
    assert "Authorization=AAD" in infra().texts["settings.tf"]
    assert ("Monitoring Metrics Publisher", "azurerm_application_insights.this") in ROLES
    assert '">= 4.55, < 5.0"' in infra().texts["versions.tf"]


def test_every_resource_provider_that_is_used_is_registered():
    registered = set(re.findall(r'"(Microsoft\.\w+)"', infra().texts["versions.tf"]))
    used = {
        namespace for block in infra().blocks for start, namespace in NAMESPACES.items() if block.kind.startswith(start)
    }
    assert registered == used | {"Microsoft.App"}  # Flex Consumption delegates its subnet to it
    for block in infra().blocks:
        assert block.kind.startswith((*NAMESPACES, "azurerm_resource_group", "data.")), block.kind


def test_accounts_behind_private_endpoints_are_made_without_a_way_to_them():
    storage = re.search(r"features \{.*?\n    storage \{\n(.*?)\n    \}", infra().texts["versions.tf"], re.DOTALL)
    assert storage and "data_plane_available = false" in storage[1]
    # By the account's name the provider would ask the container itself.
    assert all("storage_account_id" in block.body for block in infra().all("azurerm_storage_container"))


def test_no_secret_of_a_source_can_come_into_the_state_and_no_key_is_used():
    for text in infra().texts.values():
        for word in ("access_key", "primary_connection_string", "shared_key", "azurerm_key_vault_secret", "password"):
            assert word not in text.replace("shared_access_key_enabled", "")


@pytest.mark.parametrize("name", infra().variables)
def test_every_variable_is_described_typed_and_validated(name):
    variable = infra().variables[name]
    assert len(variable["description"]) > 20
    assert variable["type"]
    assert variable["validation"] or variable["type"] == "bool"


@pytest.mark.parametrize("name", infra().outputs)
def test_every_output_is_described(name):
    assert len(infra().outputs[name]["description"]) > 20


def test_private_endpoints_cover_what_the_app_opens(evaluated):
    shown = {f"{e['resource'].split('.')[1]}/{e['part']}" for e in evaluated("local.endpoints", **PRIVATE).values()}
    assert shown == {"runtime/blob", "runtime/queue", "runtime/table", "lake/blob", "lake/dfs", "this/vault"}


def test_private_networking_closes_the_doors(evaluated):
    assert evaluated("[local.public_access, local.default_action]", **PRIVATE) == [False, "Deny"]


def test_people_reach_a_private_lake_from_the_named_addresses_only(evaluated):
    found = evaluated("[local.public_access, local.default_action]", **PRIVATE, allowed_ips=["203.0.113.7"])
    assert found == [True, "Deny"]


PRIVATE = {"environment": "t1", "location": "westeurope", "private_networking": True}
