"""Where a stage's files are: a local folder, or a container of an Azure storage account."""

from __future__ import annotations

import re

from pydantic import ConfigDict, Field, model_validator

from comboi_core.config.base import Model, Text
from comboi_core.config.written import at_most_one, exactly_one, given, reference_or, text_like, where

PLACES = ("path", "account_name", "account_url", "connection_string")
SECRETS = ("connection_string", "credential", "sas_token")
"""Keys whose values appear nowhere."""

_CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_REFERENCE = "{{"
_FOLDER = text_like(
    r"(?!.*(?:^|/)\.{0,2}(?:/|$))", "A path within the container, without .. and without / at the ends."
)
_URL = text_like(r"[^?]*$", "No ? in it; a shared access signature goes to sas_token.")
_NAME = reference_or(_CONTAINER.pattern, "A container's name: 3 to 63 small letters, digits and single hyphens.")
"""What `LakeConfig` accepts, for editors."""
_IN_AZURE = ("account_name", "account_url", "connection_string", "file_system", "credential", "sas_token", "folder")


class LakeConfig(Model):
    """A local folder (`path`), or a container in Azure: one of `account_name`, `account_url`, `connection_string`.

    References are resolved when the lake is opened.

    Attributes:
        path: A folder; a relative path counts from the project's folder.
        account_name: A storage account of Azure's public cloud.
        account_url: The blob endpoint of any account, e.g. of another cloud.
        connection_string: Endpoint and credential in one, as the portal shows it, or Azurite's.
        file_system: The container; required in Azure.
        credential: The account's key. Without key, SAS and connection string the identity signs in (azure-identity).
        sas_token: A shared access signature with the rights to read, write, list and delete.
        folder: A folder within the container, if the lake is not all of it.
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
                raise ValueError(f"{further[0]}: is for lakes in Azure; a local folder has path: only")
            return self
        given = [key for key in SECRETS if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"give {' or '.join(f'{key}:' for key in given)}, not both")
        self._check_names()
        return self

    def _check_names(self) -> None:
        if self.file_system is None:
            raise ValueError("file_system: this key is missing; it names the container")
        if _REFERENCE not in self.file_system and not _CONTAINER.fullmatch(self.file_system):
            raise ValueError("file_system: a container's name has 3 to 63 small letters, digits and single hyphens")
        if any(piece in ("", ".", "..") for piece in (self.folder or "x").split("/")):
            raise ValueError("folder: a path within the container: folder/below, without .. and without / at the ends")
        if self.account_url and "?" in self.account_url:
            raise ValueError("account_url: has no ? in it; a shared access signature goes to sas_token:")
