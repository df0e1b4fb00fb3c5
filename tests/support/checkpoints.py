"""Prints the checkpoints of the project in the working directory as JSON, read from the task hub's entities."""

from __future__ import annotations

import json

from comboi_core.cli.hosting import quiet, serving


def main() -> None:
    """Start a host on the project's task hub, ask, and print."""
    quiet()
    with serving(None) as served:
        tables = served.api.get("tables")["tables"]
    print(json.dumps({f"{table['source']}.{table['table']}": table for table in tables if table["manifest"]}))


if __name__ == "__main__":
    main()
