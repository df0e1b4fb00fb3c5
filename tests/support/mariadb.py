"""A real MariaDB server of the machine's own package, for tests; where there is none, they are skipped and say so."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "p'w \"d/é%:@?&=#+\\x"
USER, BLIND = "comboi", "comboi_blind"
"""An account that may see everything and writes nothing, and one without the right PROCESS."""
_SECONDS = 60.0
_UNPRIVILEGED = "nobody"
# The shell keeps the server only as long as its file descriptor 3 stays open: the other end is a pipe held by pytest,
# which the kernel closes when that process ends, even by SIGKILL.
_GUARDIAN = """
exec 3<&0
"$0" "$@" </dev/null 3<&- &
server=$!
(read -r _ <&3; kill -KILL $server) &
watcher=$!
wait $server
code=$?
kill $watcher 2>/dev/null
exit $code
"""
_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=32M",
    "--max-allowed-packet=64M",
    "--performance-schema=OFF",
    "--skip-log-bin",
    "--skip-name-resolve",
)


def programs() -> tuple[str, str] | None:
    """Return the paths of the server and of what makes its data folder, or None where there is no server."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = [shutil.which(name, path=path) for name in ("mariadbd", "mariadb-install-db")]
    return (found[0], found[1]) if found[0] and found[1] else None


class MariaDb:
    """A server on a free port of 127.0.0.1, with TLS, whose data lives in a folder; without a password over its socket.

    Attributes:
        ca: The file of the CA that has signed its certificate.
    """

    def __init__(self, folder: Path, *settings: str, zone: str = "UTC") -> None:
        found = programs()
        if found is None:
            pytest.skip("no MariaDB server on this machine: apt-get install mariadb-server")
        self._server, self._install = found
        self._folder = folder
        self._settings = settings
        self._zone = zone
        self._guardian: subprocess.Popen[bytes] | None = None
        self._account = pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None
        self.port = 0
        self.ca = folder / "ca.pem"
        self._socket = str(folder / "s")
        self._prepare()

    def start(self) -> MariaDb:
        """Start the server and wait until it answers."""
        for _ in range(5):
            self.port = self.port or _free_port()
            command = [self._server, "--no-defaults", f"--datadir={self._folder / 'data'}", f"--socket={self._socket}"]
            command += [f"--port={self.port}", f"--pid-file={self._folder / 'pid'}", *_SETTINGS, *self._settings]
            command += [f"--ssl-{name}={self._folder / name}.pem" for name in ("ca", "cert", "key")]
            with (self._folder / "log").open("ab") as log:
                self._guardian = subprocess.Popen(
                    ["sh", "-c", _GUARDIAN, *command],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    **self._as(),
                )
            if self._answers():
                return self
            self.port = 0
        raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """End the server at once, as a crash would, and wait until it is gone."""
        if self._guardian is not None:
            assert self._guardian.stdin is not None
            self._guardian.stdin.close()
            self._guardian.wait(_SECONDS)
            self._guardian = None

    def connect(self, **options: Any) -> Any:
        """Open a session of the superuser, in UTC, which commits each statement."""
        import pymysql

        given = {"unix_socket": self._socket, "user": "root", "charset": "utf8mb4", "autocommit": True}
        given |= {"ssl_disabled": True}  # each context of TLS reads all of the machine's CAs, in 0.1 s
        opened = pymysql.connect(**{**given, **options}, init_command="SET time_zone = '+00:00'")
        return opened

    def run(self, text: str) -> list[tuple[Any, ...]]:
        """Run statements, which a semicolon at a line's end separates, as the superuser; return the last one's rows."""
        session = self.connect()
        try:
            return run(session, text)
        finally:
            session.close()

    def connection(self, database: str, **other: Any) -> dict[str, Any]:
        """Return the connection of a source, as it is configured."""
        given = {"host": "127.0.0.1", "port": self.port, "database": database, "user": USER, "password": PASSWORD}
        return given | {"tls": "required"} | other

    def _prepare(self) -> None:
        _certificates(self._folder)
        for path in [self._folder, *self._folder.iterdir()]:
            if self._account:
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        command = [self._install, "--no-defaults", f"--datadir={self._folder / 'data'}", "--skip-test-db"]
        command += ["--auth-root-authentication-method=normal", "--skip-name-resolve"]
        done = subprocess.run(command, capture_output=True, text=True, **self._as())
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])

    def _answers(self) -> bool:
        import pymysql

        assert self._guardian is not None
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline and self._guardian.poll() is None:
            try:
                self._grant()
                return True
            except (pymysql.err.MySQLError, OSError):  # not up yet; anything else is a fault of the tests
                time.sleep(0.05)
        return False

    def _grant(self) -> None:
        session = self.connect()
        password = session.escape(PASSWORD)
        with session.cursor() as cursor:
            for user, rights in ((USER, "SELECT, SHOW VIEW, PROCESS"), (BLIND, "SELECT, SHOW VIEW")):
                cursor.execute(f"CREATE USER IF NOT EXISTS {user}@'%' IDENTIFIED BY {password}")
                cursor.execute(f"GRANT {rights} ON *.* TO {user}@'%'")
        session.close()

    def _as(self) -> dict[str, Any]:
        common: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/", "TZ": self._zone},
        }
        if self._account is None:
            return common
        return common | {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}


def run(session: Any, text: str) -> list[tuple[Any, ...]]:
    """Run statements, which a semicolon at a line's end separates; return the last one's rows."""
    with session.cursor() as cursor:
        for statement in text.split(";\n"):
            if statement.strip(" ;\n"):
                cursor.execute(statement)
        return list(cursor.fetchall())


@contextmanager
def mariadb(*settings: str, zone: str = "UTC") -> Iterator[MariaDb]:
    """Run a server for the block, whose own clock is of a time zone.

    Its folder has a short name, as the path of a socket has to.
    """
    folder = Path(tempfile.mkdtemp(prefix="cmb"))
    try:
        folder.chmod(0o755)
        server = MariaDb(folder, *settings, zone=zone).start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    """A port that is free now; not the highest ones, which DuckDB's extension does not take."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port <= 65_000:
            return port


def _certificates(folder: Path) -> None:
    """Write a CA, and a certificate that it has signed for 127.0.0.1 and localhost."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import NameOID

    now = datetime.now(UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def builder(name: str, issuer: str, key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer)).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))

    ca_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    root = builder("comboi test CA", "comboi test CA", ca_key.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    leaf = builder("localhost", "comboi test CA", key.public_key()).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(root.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (folder / "cert.pem").write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    private = serialization.PrivateFormat.TraditionalOpenSSL
    (folder / "key.pem").write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
