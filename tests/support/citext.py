"""The type `citext` where the server has no extensions: as the extension's own script makes it, without operators."""

from __future__ import annotations


def citext(schema: str) -> str:
    """Return the SQL that makes the type in a schema; for superusers."""
    name, internal = f"{schema}.citext", "LANGUAGE internal IMMUTABLE STRICT"
    return (
        f"CREATE TYPE {name}; CREATE FUNCTION {name}in(cstring) RETURNS {name} AS 'textin' {internal};"
        f"CREATE FUNCTION {name}out({name}) RETURNS cstring AS 'textout' {internal};"
        f"CREATE TYPE {name} (INPUT = {name}in, OUTPUT = {name}out, INTERNALLENGTH = VARIABLE, STORAGE = extended,"
        f" COLLATABLE = true);"
    )
