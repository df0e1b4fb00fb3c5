"""Which values of a configuration are secrets. This is known when the file is read, before references are resolved.

A value is a secret because of its key or because of its name. Keys: those that take a password, a signature or a whole
connection string (`SECRET_KEYS`). Names: an environment variable whose last word is password, token, key or similar.
Such a variable is a secret wherever it is used, also if only scripts read it. Values from Key Vault are always secrets.
Other values, e.g. a host or an account name, are shown: without them an error could not be understood.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from comboi_core.config.references import Reference, find, substitute

SECRET_KEYS = frozenset(
    ("conn_str", "dsn", "password", "connection_string", "credential", "sas_token")
    + ("salt", "azure_connection_string", "webhook")
)
SHORTEST_UNNAMED = 8
"""Shortest secret in a variable that the configuration does not name; shorter values are likely to be plain words."""

_SECRET_NAME = re.compile(
    r"(?i)(?:^|_)(?:password|passwd|secret|token|api_?key|key|salt|sas|credentials?|connection_?string|conn_?str|dsn)\Z"
    r"|_pwd\Z|_pass\Z"
)


def is_secret_name(variable: str) -> bool:
    """Whether a variable's name says that its value is a secret."""
    return bool(_SECRET_NAME.search(variable))


def known_secrets(document: Any) -> Iterator[str]:
    """Yield the secrets of a configuration as it was read, whether it is valid or not.

    Args:
        document: The nested structure of the YAML.
    """
    for name, value in os.environ.items():
        if is_secret_name(name) and len(value) >= SHORTEST_UNNAMED:
            yield value
    yield from secrets_of(document, {Reference("env", name): value for name, value in os.environ.items()})


def secrets_of(value: Any, values: Mapping[Reference, str], *, secret: bool = False) -> Iterator[str]:
    """Yield the secrets of a part of a configuration.

    Args:
        value: The nested structure as it was written, with its references.
        values: The values of references; references without a value are skipped.
        secret: Whether the key of the value makes it a secret.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from secrets_of(item, values, secret=secret or key in SECRET_KEYS)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from secrets_of(item, values, secret=secret)
    elif isinstance(value, str):
        yield from _of_text(value, values, secret=secret)
    elif secret and isinstance(value, (int, float)):  # a password without quotes
        yield str(value)


def _of_text(text: str, values: Mapping[Reference, str], *, secret: bool) -> Iterator[str]:
    try:
        references = set(find(text))
    except ValueError:  # not a valid reference (validation reports it), but the text may still contain a secret
        if secret:
            yield text
        return
    known = {reference: values[reference] for reference in references if reference in values}
    for reference, value in known.items():
        alone = secret and not substitute(text, dict.fromkeys(references, "")).strip()
        if reference.store == "keyvault" or is_secret_name(reference.name) or alone:
            yield value
    if secret and len(known) == len(references):  # the whole text, because a connection string contains the password
        yield substitute(text, known)
