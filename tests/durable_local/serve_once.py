"""A host in a process of its own, for tests that kill it: `serve_once.py APP STORE [GRACE]` until stdin closes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from durable_local import Host

with Host(Path(sys.argv[1]), Path(sys.argv[2]), shutdown_grace=float((sys.argv[3:] or ["5"])[0])) as host:
    print(host.url, *host.unfinished, flush=True)
    sys.stdin.read()
