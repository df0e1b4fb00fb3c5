"""A host in a process that may open few files: `serve_limited.py APP STORE FILES`; obeys lines on stdin."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from durable_local import Host

files = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
taken: list[int] = []
with Host(Path(sys.argv[1]), Path(sys.argv[2]), shutdown_grace=5) as host:
    print(host.url, flush=True)
    for line in sys.stdin:
        if line.strip() == "exhaust":
            while True:
                try:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
        for descriptor in taken if line.strip() == "release" else ():
            os.close(descriptor)
        print(line.strip(), flush=True)
