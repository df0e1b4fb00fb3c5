"""TLS in front of a PostgreSQL that was built without it: what Azure's servers do by themselves."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from pathlib import Path

from tests.doubles.vault import certificate

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
"""PostgreSQL's codes for what a client asks before it says who it is."""


class TlsFront:
    """Takes connections on 127.0.0.1, answers the client's wish for TLS, and hands on what is said to the server.

    A client that wishes no TLS is turned away before it has sent a password.

    Attributes:
        certificate: Of whoever signs for `localhost`, for `sslrootcert`.
    """

    def __init__(self, port: int, folder: Path) -> None:
        self._behind = port
        self.certificate, key = certificate(folder, "localhost")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no further connection."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            length, code = struct.unpack("!II", client.recv(8, socket.MSG_WAITALL))
            if (length, code) == (8, GSS_REQUEST):
                client.sendall(b"N")
                length, code = struct.unpack("!II", client.recv(8, socket.MSG_WAITALL))
            if code != SSL_REQUEST:
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as secure,
                socket.create_connection(("127.0.0.1", self._behind)) as server,
            ):
                _hand_on(secure, server)


def _hand_on(secure: ssl.SSLSocket, server: socket.socket) -> None:
    """Pass on both ways until one side ends; from one thread, since OpenSSL wants that."""
    while True:
        # What TLS has decrypted already does not make the socket readable.
        ready = [secure] if secure.pending() else select.select([secure, server], [], [])[0]
        for source in ready:
            data = source.recv(65_536)
            if not data:
                return
            (server if source is secure else secure).sendall(data)
