"""Sessions of psql that stay open, for transactions that last as long as a test wants."""

from __future__ import annotations

import subprocess

from comboi_core.cli.demo.postgres import EmbeddedPostgres, _programs

_DONE = "--statement-done--"


class Session:
    """One session with a server; ends at the first error."""

    def __init__(self, database: EmbeddedPostgres) -> None:
        command = [str(_programs() / "psql"), database.uri, "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )

    def run(self, sql: str) -> list[str]:
        """Run SQL and return the lines that it gives, values only, once it is done."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{sql}\n;\n\\echo {_DONE}\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.strip() == _DONE:
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"psql ended: {lines}")

    def close(self) -> None:
        """End the session; a transaction that is open is rolled back."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(300)
        self._process.stdout.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
