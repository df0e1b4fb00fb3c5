"""The module against azurerm's schema; and the checker itself, which has to find what is wrong."""

from __future__ import annotations

import pytest

from tests.infra.terraform import INFRA, infra, problems, read

GROUP = 'resource "azurerm_resource_group" "g" {\n  name     = "x"\n  location = "y"\n}\n'
SUBNET = (
    'resource "azurerm_subnet" "s" {\n  name = "s"\n  resource_group_name = "g"\n  virtual_network_name = "v"\n%s}\n'
)
APP = 'resource "azurerm_linux_function_app" "a" {\n  name = "a"\n  site_config {\n'


def test_every_argument_block_and_reference_is_known():
    assert problems(infra()) == []


def test_the_module_is_split_by_concern_and_every_file_is_read():
    assert {file.stem for file in INFRA.glob("*.tf")} == {
        *("versions", "main", "variables", "outputs"),
        *("network", "storage", "vault", "identity", "function", "settings", "monitoring", "alerts", "budget"),
    }
    assert all(infra().texts.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GROUP.replace("location", "locations"), "unsupported argument or block 'locations'"),
        (GROUP.replace('  location = "y"\n', ""), "missing required 'location'"),
        (SUBNET % '  delegation = "x"\n', "delegation: must be a block"),
        (SUBNET % "  address_prefixes {\n  }\n", "address_prefixes: must be an attribute"),
        (SUBNET % '  delegation {\n    name = "d"\n  }\n', "delegation: missing required 'service_delegation'"),
        (
            SUBNET % '  dynamic "delegations" {\n    for_each = []\n    content {\n    }\n  }\n',
            "dynamic block 'delegations'",
        ),
        (
            SUBNET % '  dynamic "delegation" {\n    for_each = []\n    content {\n      names = "d"\n    }\n  }\n',
            "block 'names'",
        ),
        (SUBNET % '  service_endpoints = ["Microsoft.Storage"]\n', "'service_endpoints'"),
        (f"{APP}    vnet_route_all_enabled = true\n  }}\n}}\n", "'vnet_route_all_enabled'"),
        (GROUP.replace('"y"', "var.region"), "undeclared var.region"),
        (GROUP.replace('"y"', "local.region"), "undeclared local.region"),
        (GROUP.replace('"y"', "azurerm_resource_group.h.location"), "undeclared azurerm_resource_group.h"),
        (GROUP.replace('"x"', "azurerm_resource_group.g.region"), "has no attribute 'region'"),
        ('resource "azurerm_redis_cache" "r" {\n  name = "r"\n}\n', "no schema"),
        ('variable "unused" {\n  type = string\n}\n', "variable unused is used nowhere"),
    ],
)
def test_the_checker_finds_what_the_provider_would_refuse(text, found):
    assert any(found in problem for problem in problems(read({"t.tf": text}))), problems(read({"t.tf": text}))


def test_the_checker_passes_what_is_right():
    assert problems(read({"t.tf": GROUP + SUBNET % "  address_prefixes = [azurerm_resource_group.g.location]\n"})) == []
