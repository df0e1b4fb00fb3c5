"""`comboi doctor`: tries everything that a run needs."""

from __future__ import annotations

from dataclasses import asdict

import typer

from comboi_core.cli.options import AsJson, Config, console, print_json, reporting


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Test everything that a run needs (sources, lake, vault, telemetry, versions, clock, disk) and say how to "
    "fix it."""
    found = []
    with reporting(config):
        from comboi_core.devtools.doctor import diagnose

        for finding in diagnose(config):
            found.append(finding)
            if as_json:
                continue
            sign, style = ("✓", "green") if finding.ok else ("✗", "bold red")
            console.print(f"{sign} {finding.check}: {finding.told}", style=style, markup=False)
            if finding.remedy:
                console.print(f"  what to do: {finding.remedy}", markup=False)
    well = all(finding.ok for finding in found)
    if as_json:
        print_json({"ok": well, "findings": [asdict(finding) for finding in found]})
    if not well:
        raise typer.Exit(1)
