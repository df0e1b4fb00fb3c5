"""The listener: one thread per connection, a log of what clients sent, and faults on demand."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from tests.doubles.tds import types, wire
from tests.doubles.tds.database import Database
from tests.doubles.tds.dialect import Refused, parse
from tests.doubles.tds.functions import refusal


@dataclass
class Fault:
    """What happens to an answer, once.

    Attributes:
        kind: `cut` the connection, have it `closed` as a process does that ends (without a reset), answer
            with an `error`, or fall `silent`: neither send nor answer any more.
        rows: After how many rows.
        within: Text that the SQL of the query concerned contains; LOGIN: the next login is refused.
    """

    kind: Literal["cut", "closed", "error", "silent"]
    rows: int = 0
    within: str = " AS c0"
    number: int = 8134
    message: str = "Divide by zero error encountered."


@dataclass
class Log:
    """What clients sent."""

    logins: list[wire.Login] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    attentions: int = 0


class TdsServer:
    """A server on a free port of the loopback, from `with` to the end of the block.

    Args:
        certificate: A folder for a self-signed certificate; without one the server knows no encryption.
        users: Passwords by user; `tokens`: the access tokens that are let in.
    """

    def __init__(
        self,
        database: Database,
        *,
        certificate: Path | None = None,
        users: dict[str, str],
        tokens: tuple[str, ...] = (),
    ) -> None:
        self.database, self.users, self.tokens = database, users, tokens
        self.log, self.faults = Log(), list[Fault]()
        self._context = tls_context(certificate) if certificate else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._channels: set[wire.Channel] = set()

    @property
    def address(self) -> str:
        """`host,port`, as T-SQL people write it."""
        return f"127.0.0.1,{self._listener.getsockname()[1]}"

    def __enter__(self) -> TdsServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening, and cut every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for channel in list(self._channels):
            channel.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(wire.Channel(client),), daemon=True).start()

    def _serve(self, channel: wire.Channel) -> None:
        self._channels.add(channel)
        try:
            # A client that goes away ends its connection however it likes.
            with contextlib.suppress(wire.Closed, OSError, ssl.SSLError):
                if self._let_in(channel):
                    with self.database.cursor() as con:
                        while True:
                            self._answer(channel, con, *channel.receive())
        finally:
            self._channels.discard(channel)
            channel.close()

    def _let_in(self, channel: wire.Channel) -> bool:
        kind, hello = channel.receive()
        if kind != wire.PRELOGIN:
            return False  # no PRELOGIN: TLS at once, as TDS 8 begins, which this server does not know
        wanted = wire.prelogin_encryption(hello) == 1
        encryption = 2 if self._context is None else 1 if wanted else 2
        channel.send(wire.prelogin(encryption))
        if encryption == 1:
            channel.start_tls(self._context)
        _, message = channel.receive()
        login = wire.parse_login(message)
        login.encrypted = channel.encrypted
        self.log.logins.append(login)
        fault = next((fault for fault in self.faults if fault.within == "LOGIN"), None)
        if fault:
            self.faults.remove(fault)
            return self._refuse(channel, fault.number, fault.message)
        if login.database == "nowhere":
            return self._refuse(
                channel, 4060, 'Cannot open database "nowhere" requested by the login. The login failed.'
            )
        known = login.token in self.tokens if login.token else self.users.get(login.user) == login.password
        if not known:
            return self._refuse(
                channel, 18456, f"Login failed for user '{login.user or '<token-identified principal>'}'."
            )
        channel.send(wire.logged_in(login.database))
        return True

    def _refuse(self, channel: wire.Channel, number: int, message: str) -> bool:
        channel.send(wire.error(number, message) + wire.done(0x02))
        return False

    def _answer(self, channel: wire.Channel, con: duckdb.DuckDBPyConnection, kind: int, message: bytes) -> None:
        if kind == wire.ATTENTION:
            self.log.attentions += 1
            channel.send(wire.done(0x20))
        elif kind == wire.TRANSACTION:
            headers = int.from_bytes(message[:4], "little")
            channel.send(wire.begun(int.from_bytes(message[headers : headers + 2], "little")))
        elif kind == wire.BATCH:
            text = wire.batch_text(message)
            self.log.statements.append(text)
            self._batch(channel, con, text)
        else:
            channel.send(wire.error(50000, f"the double does not know requests of type {kind}") + wire.done(0x02))

    def _batch(self, channel: wire.Channel, con: duckdb.DuckDBPyConnection, text: str) -> None:
        word = text.split()[0].upper()
        if word in ("BEGIN", "COMMIT"):
            con.execute(word)
            channel.send(wire.begun(5 if word == "BEGIN" else 7))
            return
        if word == "SET":
            channel.send(wire.done())
            return
        fault = next((fault for fault in self.faults if fault.within in text), None)
        if fault:
            self.faults.remove(fault)
        text = text.replace("ROWCOUNT_BIG()", f"CONVERT(bigint, {channel.rows})")
        try:
            for statement in parse(text):
                found = self.database.execute(con, statement)
                if found is None:
                    channel.send(wire.done())
                else:
                    self._rows(channel, *found, fault)
        except Refused as error:
            channel.send(wire.error(error.number, error.message) + wire.done(0x02))
        except duckdb.Error as error:
            told = refusal(error)
            channel.send(wire.error(told.number, told.message) + wire.done(0x02))
        except (wire.Closed, OSError):
            raise
        except Exception as error:
            # A hole in the double: the client gets an answer all the same, and the test its text.
            channel.send(wire.error(50000, f"the double: {error!r}") + wire.done(0x02))

    def _rows(self, channel: wire.Channel, columns: Any, result: Any, fault: Fault | None) -> None:
        shape = [(name, kind) for name, kind, _ in columns]
        channel.send(types.metadata(shape), last=False)
        sent = channel.rows = 0
        for row in _each(result):
            if fault and sent == fault.rows:
                break
            channel.send(types.row(shape, row), last=False)
            sent += 1
            if sent % 50 == 0 and channel.waiting():
                kind, _ = channel.receive()
                if kind == wire.ATTENTION:
                    self.log.attentions += 1
                    channel.send(wire.done(0x20))
                    return
        if fault and fault.kind == "silent":
            while True:
                channel.receive()
        if fault and fault.kind in ("cut", "closed"):
            channel.cut() if fault.kind == "cut" else channel.close()
            raise wire.Closed
        if fault:
            channel.send(wire.error(fault.number, fault.message) + wire.done(0x02))
            return
        channel.rows = sent
        channel.send(wire.done(0x10, 0xC1, sent))


def _each(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := result.fetchmany(500):
        yield from rows


def tls_context(folder: Path) -> ssl.SSLContext:
    """Return a context with a certificate made for it: self-signed, for 127.0.0.1."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the drivers fail on 1.3 inside TDS 7
    context.load_cert_chain(file)
    return context
