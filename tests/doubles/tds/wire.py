"""TDS 7.4: packets, TLS inside them, the login, and the tokens of an answer."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass

PRELOGIN, LOGIN, BATCH, RPC, ATTENTION, TRANSACTION, REPLY = 0x12, 0x10, 0x01, 0x03, 0x06, 0x0E, 0x04
PACKET = 4096
_COLLATION = bytes.fromhex("0904d00034")


class Closed(Exception):
    """The client has gone."""


@dataclass
class Login:
    """What a client said of itself."""

    user: str
    password: str
    database: str
    app: str
    token: str | None
    encrypted: bool = False


class Channel:
    """One client's socket as messages; TLS comes in between where the client wants it."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._pending = b""
        self.rows = 0
        """What the last statement sent, for ROWCOUNT_BIG()."""

    @property
    def encrypted(self) -> bool:
        """Whether TLS is on."""
        return self._tls is not None

    def receive(self) -> tuple[int, bytes]:
        """Return the next message's type and content; raises Closed at the end."""
        content = b""
        while True:
            kind, status, length = struct.unpack(">BBH4x", self._read(8))
            content += self._read(length - 8)
            if status & 1:
                return kind, content

    def send(self, content: bytes, *, last: bool = True, kind: int = REPLY) -> None:
        """Send full packets; the rest, too, if it is the message's `last`, else it waits for more."""
        data = self._pending + content
        room = PACKET - 8
        packets, place, whole = [], 0, memoryview(data)
        while len(data) - place > room or (last and place < len(data)):
            part = whole[place : place + room]
            place += len(part)
            packets += [struct.pack(">BBH4x", kind, 1 if last and place == len(data) else 0, len(part) + 8), part]
        self._pending = data[place:]
        self._write(b"".join(packets))

    def waiting(self) -> bool:
        """Whether the client has sent something meanwhile."""
        self._client.setblocking(False)
        try:
            return bool(self._client.recv(1, socket.MSG_PEEK))
        except (BlockingIOError, ssl.SSLError):
            return False
        finally:
            self._client.setblocking(True)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands inside PRELOGIN packets; from then on the packets are inside TLS."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if said := self._outgoing.read():
                    self.send(said, kind=PRELOGIN)
                self._incoming.write(self.receive()[1])
        if said := self._outgoing.read():
            self.send(said, kind=PRELOGIN)
        self._tls = tls

    def cut(self) -> None:
        """Break the connection as a failing network does: reset, not closed."""
        with contextlib.suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.close()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        self._client.close()

    def _read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            if self._tls is None:
                part = self._client.recv(count - len(found))
            else:
                try:
                    part = self._tls.read(count - len(found))
                except ssl.SSLWantReadError:
                    raw = self._client.recv(65536)
                    self._incoming.write(raw) if raw else self._incoming.write_eof()
                    continue
                except ssl.SSLError:
                    raise Closed from None
            if not part:
                raise Closed
            found += part
        return found

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data) if data else None
            data = self._outgoing.read()
        self._client.sendall(data)


def prelogin_encryption(message: bytes) -> int:
    """Return what the client says of encryption in its PRELOGIN: 0 login only, 1 wanted."""
    place = 0
    while message[place] != 0xFF:
        option, offset, _ = struct.unpack_from(">BHH", message, place)
        if option == 1:
            return message[offset]
        place += 5
    return 2


def prelogin(encryption: int) -> bytes:
    """Return the answer to a PRELOGIN: the version, and 0 login only, 1 on, 2 not supported."""
    head = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF)
    return head + bytes.fromhex("0c0007d00000") + bytes([encryption])


def parse_login(message: bytes) -> Login:
    """Read a LOGIN7 message."""

    def text(index: int) -> bytes:
        offset, count = struct.unpack_from("<HH", message, 36 + 4 * index)
        return message[offset : offset + 2 * count]

    password = bytes(((byte ^ 0xA5) << 4 & 0xF0) | ((byte ^ 0xA5) >> 4) for byte in text(2))
    user, database, app = (text(index).decode("utf-16-le") for index in (1, 8, 3))
    return Login(user, password.decode("utf-16-le"), database, app, _token(message))


def _token(message: bytes) -> str | None:
    if not message[27] & 0x10:
        return None
    (extension,) = struct.unpack_from("<H", message, 36 + 4 * 5)
    (place,) = struct.unpack_from("<I", message, extension)
    while message[place] != 0xFF:
        feature, length = struct.unpack_from("<BI", message, place)
        if feature == 2:
            (count,) = struct.unpack_from("<I", message, place + 6)
            return message[place + 10 : place + 10 + count].decode("utf-16-le")
        place += 5 + length
    return None


def _b(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _us(text: str) -> bytes:
    return struct.pack("<H", len(text)) + text.encode("utf-16-le")


def _sized(kind: int, body: bytes) -> bytes:
    return struct.pack("<BH", kind, len(body)) + body


def logged_in(database: str) -> bytes:
    """Return the answer to a login that is let in."""
    return b"".join(
        (
            _sized(0xE3, b"\x04" + _b(str(PACKET)) + _b(str(PACKET))),
            _sized(0xE3, b"\x01" + _b(database) + _b("master")),
            _sized(0xE3, b"\x07\x05" + _COLLATION + b"\x00"),
            _sized(0xAD, b"\x01\x74\x00\x00\x04" + _b("Microsoft SQL Server") + bytes.fromhex("0c0007d0")),
            done(),
        )
    )


def error(number: int, message: str) -> bytes:
    """Return an ERROR token; `done(0x02)` has to follow."""
    body = struct.pack("<iBB", number, 1, 16) + _us(message) + _b("double") + _b("") + struct.pack("<i", 1)
    return _sized(0xAA, body)


def done(status: int = 0, command: int = 0, rows: int = 0) -> bytes:
    """Return a DONE token: status 0x01 more follows, 0x02 error, 0x10 rows counted, 0x20 attention."""
    return struct.pack("<BHHQ", 0xFD, status, command, rows)


def begun(kind: int) -> bytes:
    """Return the answer to a transaction manager's request: 5 begin, 7 commit, 8 rollback."""
    number = struct.pack("<Q", 1)
    changed = {5: b"\x08\x08" + number + b"\x00", 7: b"\x09\x00\x08" + number, 8: b"\x0a\x00\x08" + number}[kind]
    return _sized(0xE3, changed) + done(0, {5: 0xD4, 7: 0xD5, 8: 0xD2}[kind])


def batch_text(message: bytes) -> str:
    """Return the SQL of a BATCH message."""
    (headers,) = struct.unpack_from("<I", message)
    return message[headers:].decode("utf-16-le")
