"""What a table is made from, as the configuration of each kind of source says it."""

from __future__ import annotations

from typing import Any

import pytest

from comboi_core.app.origin import origin_of
from comboi_core.domain.origin import changed_parts, fingerprint

FOLDER = {"path": "drop"}
CONTAINER = {"account_name": "shop", "file_system": "drop", "credential": "a2V5"}


def files(make: Any, connection: dict[str, Any], **table: Any) -> dict[str, str]:
    def change(pipeline: dict[str, Any], _: Any) -> None:
        source = {"name": "shop", "type": "files", "connection": connection}
        tables = [{"name": name, "path": f"{name}.csv"} for name in ("items", "customers")]
        pipeline["sources"][0] = source | {"tables": [{"name": "orders", "path": "orders/*.csv"} | table, *tables]}

    return dict(origin_of(make(change), "shop", "orders"))


@pytest.mark.parametrize(
    ("table", "parts"),
    [
        ({"path": "**/*.csv"}, ("path",)),
        ({"path": "orders/*.txt", "format": "csv"}, ("path",)),
        ({"format": "json"}, ("format",)),
        ({"types": {"zip": "VARCHAR"}}, ("types",)),
        ({"options": {"delimiter": ";"}}, ("options",)),
        ({"options": {"encoding": "latin-1"}}, ("options",)),
        ({"options": {"delimiter": ","}}, ()),
        ({"options": {"max_line_bytes": 4096}}, ()),
        ({"types": {"zip": "varchar", "n": "decimal(12,2)"}, "columns": ["n", "zip"]}, ("columns", "types")),
        ({"lag": "5m", "freshness": "2h", "schema_policy": "freeze", "parallel_chunks": 3}, ()),
    ],
    ids=str,
)
def test_which_files_are_read_and_how_is_what_a_table_of_files_is_made_from(make, table, parts):
    assert changed_parts(files(make, FOLDER), files(make, FOLDER, **table)) == parts


def test_the_order_of_columns_and_masks_means_nothing(make):
    one = files(make, FOLDER, columns=["a", "b"], mask={"a": "drop", "b": "redact"})
    assert one == files(make, FOLDER, columns=["b", "a"], mask={"b": "redact", "a": "drop"})


def test_a_container_has_one_address_however_one_signs_in(make):
    found = files(make, CONTAINER)
    assert found["connection.account"] == "https://shop.blob.core.windows.net"
    text = "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=b3RoZXI=;EndpointSuffix=core.windows.net"
    for other in (
        {"account_name": "shop", "file_system": "drop"},
        {"account_url": "https://shop.blob.core.windows.net", "file_system": "drop", "sas_token": "sig=x"},
        {"connection_string": text, "file_system": "drop"},
    ):
        assert files(make, other) == found
    assert changed_parts(found, files(make, CONTAINER | {"folder": "2026"})) == ("connection.folder",)


def test_a_password_is_no_part_of_it_and_a_host_of_the_vault_is_not_shown(make, monkeypatch):
    monkeypatch.setenv("SHOP_CONNECTION", "postgresql://comboi:hunter22@db1/shop")
    found = origin_of(make(None), "shop", "orders")
    assert found == {"connection.server": "db1:5432", "connection.database": "shop", "table": "orders"}
    monkeypatch.setenv("SHOP_CONNECTION", "postgresql://other:sesame33@db1/shop")
    assert origin_of(make(None), "shop", "orders") == found

    def change(pipeline: dict[str, Any], _: Any) -> None:
        pipeline["key_vault"] = {"vault_url": "https://one.vault.azure.net/"}
        pipeline["sources"][0]["connection"]["conn_str"] = "postgresql://comboi@{{keyvault:host}}/{{env:SHOP_NAME}}"
        pipeline["sources"][0]["tables"][0]["where"] = "password = 'hunter22'"

    monkeypatch.setenv("SHOP_NAME", "shop-of-2026")
    monkeypatch.setattr("comboi_core.secrets.stores.key_vault", lambda url: lambda name: "db1.internal")
    hidden = origin_of(make(change), "shop", "orders")
    assert hidden["connection.server"] == fingerprint("db1.internal:5432")
    assert hidden["connection.database"] == "shop-of-2026"
    assert hidden["where"] == fingerprint("password = 'hunter22'")
