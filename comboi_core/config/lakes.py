"""Where a stage's files are: a local folder, or a container of an Azure storage account."""

from __future__ import annotations

import re

from pydantic import ConfigDict, Field, model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.written import at_most_one, exactly_one, given, reference_or, text_like, where

PLACES = ("path", "account_name", "account_url", "connection_string")
SECRETS = ("connection_string", "credential", "sas_token")
"""Keys whose values are never shown."""

_CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_REFERENCE = "{{"
_FOLDER = text_like(
    r"(?!.*(?:^|/)\.{0,2}(?:/|$))", "A path inside the container, without .. and without / at either end."
)
_URL = text_like(r"[^?]*$", "Write the URL without ?; put a shared access signature into sas_token.")
_NAME = reference_or(_CONTAINER.pattern, "A container's name: 3 to 63 small letters, digits and single hyphens.")
"""What `LakeConfig` accepts, for editors."""
_IN_AZURE = ("account_name", "account_url", "connection_string", "file_system", "credential", "sas_token", "folder")


class LakeConfig(Model):
    """A local folder (`path`), or a container in Azure: give one of `account_name`, `account_url`, `connection_string`.

    References are resolved when the lake is opened.

    Attributes:
        path: A local folder. A relative path starts at the project's folder.
        account_name: The name of a storage account in Azure's public cloud.
        account_url: The blob endpoint of a storage account, e.g. in another cloud:
            `https://NAME.blob.core.chinacloudapi.cn`.
        connection_string: The connection string of a storage account (portal: Access keys), or of Azurite. It holds the
            endpoint and the key.
        file_system: The container's name. Required in Azure.
        credential: The storage account's key. Without `credential`, `sas_token` and `connection_string`, comboi signs
            in with its identity (azure-identity).
        sas_token: A shared access signature with the rights to read, write, list and delete.
        folder: A folder inside the container. Default: the whole container.
    """

    model_config = ConfigDict(
        json_schema_extra={
            **exactly_one(*PLACES),
            **where(given("path"), {"properties": dict.fromkeys(_IN_AZURE, {"type": "null"})}),
            "else": given("file_system"),
            **at_most_one(*SECRETS),
        }
    )

    path: Text | None = None
    account_name: Text | None = None
    account_url: Text | None = Field(default=None, json_schema_extra=_URL)
    connection_string: Text | None = None
    file_system: Text | None = Field(default=None, json_schema_extra=_NAME)
    credential: Text | None = None
    sas_token: Text | None = None
    folder: Text | None = Field(default=None, json_schema_extra=_FOLDER)

    @model_validator(mode="after")
    def _consistent(self) -> LakeConfig:
        places = [key for key in PLACES if getattr(self, key) is not None]
        if len(places) != 1:
            raise ValueError(f"give exactly one of {', '.join(f'{key}:' for key in PLACES)}")
        further = [key for key in type(self).model_fields if key not in PLACES and getattr(self, key) is not None]
        if self.path is not None:
            if further:
                raise ValueError(
                    f"{further[0]}: is for lakes in Azure; remove it, or give account_name: in place of path:"
                )
            return self
        given = [key for key in SECRETS if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"give {' or '.join(f'{key}:' for key in given)}, not both")
        self._check_names()
        return self

    def _check_names(self) -> None:
        if self.file_system is None:
            raise ValueError("file_system: this key is missing; give the container's name")
        if _REFERENCE not in self.file_system and not _CONTAINER.fullmatch(self.file_system):
            raise ValueError("file_system: a container's name has 3 to 63 small letters, digits and single hyphens")
        if any(piece in ("", ".", "..") for piece in (self.folder or "x").split("/")):
            raise ValueError(
                "folder: write a path inside the container, such as sales/2024, without .. and without / at either end"
            )
        if self.account_url and "?" in self.account_url:
            raise ValueError("account_url: must not contain ?; put a shared access signature into sas_token:")
