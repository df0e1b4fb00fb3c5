"""What a table is made from, as the configuration says it now."""

from __future__ import annotations

import hashlib
import hmac

from comboi_core.app.workspace import Workspace
from comboi_core.domain.origin import Origin, fingerprint
from comboi_core.domain.redaction import redactor

_SALT_OF = b"comboi: which salt is it"


def origin_of(workspace: Workspace, source: str, table: str) -> Origin:
    """Return the origin of a table: where it is, what of it is read, and how its values are masked.

    Password, user and the number of connections are no part of it: they change without a change of what is read. A text
    that may hold a secret is kept as its fingerprint, and of the masks' salt only what tells it from another one.

    Raises:
        ReferenceMissing, VaultUnavailable: a value of the connection, or the salt, cannot be had.
    """
    config = workspace.project.table(source, table)
    parts = {f"connection.{name}": text for name, text in workspace.address(source).items()}
    parts |= config.made_from
    if "hash" in config.mask.values():
        key = (workspace.salt() or "").encode()
        parts["masking.salt"] = fingerprint(hmac.new(key, _SALT_OF, hashlib.sha256).hexdigest())
    return {name: text if redactor.text(text) == text else fingerprint(text) for name, text in parts.items()}
