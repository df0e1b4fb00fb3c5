"""Azure Key Vault at the wire, on loopback, and what makes a process find it there."""

from __future__ import annotations

import json
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "unit.vault.azure.net"
TOKEN = "token-of-the-double"


class FakeCredential:
    """Stands in for DefaultAzureCredential: a token at once, or no identity at all."""

    signed_in = True

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Give the token that the double takes."""
        if not self.signed_in:
            raise ClientAuthenticationError("no identity")
        return AccessToken(TOKEN, int(datetime.now(UTC).timestamp()) + 3600)

    def __enter__(self) -> FakeCredential:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


class VaultDouble:
    """Stands in for Azure Key Vault: TLS, the bearer challenge, and the answer to GET /secrets/NAME.

    What it does not have: real identities, versions, throttling by rate.

    Attributes:
        secrets: What it holds; a changed value is a rotated one.
        statuses: Name -> the status that the vault answers with instead of the secret.
        reasons: Name -> the vault's inner name of that error.
        asked: The names that were asked for, in order.
        delay: Seconds before an answer.
        pair: Where a request waits for another one before its answer, if set.
        most: The most requests that were under way at once.
    """

    def __init__(self, folder: Path) -> None:
        self.reset()
        self._guard = threading.Lock()
        self._under_way = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self.certificate, key = certificate(folder, HOST)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{HOST}:{self.port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """Be as new."""
        self.secrets: dict[str, str | None] = {}
        self.statuses: dict[str, int] = {}
        self.reasons: dict[str, str] = {}
        self.asked: list[str] = []
        self.delay = 0.0
        self.pair: threading.Barrier | None = None
        self.most = 0

    def prelude(self) -> str:
        """Return Python that makes a process find this vault under its name, with an identity."""
        return (
            "import os, socket\n"
            f"os.environ['REQUESTS_CA_BUNDLE'] = {str(self.certificate)!r}\n"
            "look_up = socket.getaddrinfo\n"
            f"there = lambda host: '127.0.0.1' if host == {HOST!r} else host\n"
            "socket.getaddrinfo = lambda host, *rest, **more: look_up(there(host), *rest, **more)\n"
            "import azure.identity\n"
            "from tests.doubles.vault import FakeCredential\n"
            "azure.identity.DefaultAzureCredential = FakeCredential\n"
        )

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(double) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.split("?")[0].split("/")[2]
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    return self._answer(401, {})
                with double._guard:
                    double.asked.append(name)
                    double._under_way += 1
                    double.most = max(double.most, double._under_way)
                try:
                    if double.pair:
                        double.pair.wait(60)
                    time.sleep(double.delay)
                    return self._secret(name)
                finally:
                    with double._guard:
                        double._under_way -= 1

            def _secret(self, name: str) -> None:
                if name in double.statuses:
                    error = {"code": "Refused", "message": "no"}
                    if name in double.reasons:
                        error["innererror"] = {"code": double.reasons[name]}
                    return self._answer(double.statuses[name], {"error": error})
                if name not in double.secrets:
                    return self._answer(404, {"error": {"code": "SecretNotFound", "message": "no"}})
                return self._answer(
                    200, {"id": f"{double.url}secrets/{name}/1", "value": double.secrets[name], "attributes": {}}
                )

            def _answer(self, status: int, body: dict[str, Any]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                if status == 401:
                    challenge = (
                        'Bearer authorization="https://login.microsoftonline.com/tenant", '
                        f'resource="https://vault.azure.net:{double.port}"'
                    )
                    self.send_header("WWW-Authenticate", challenge)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return Handler


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate that signs for a host, and its key; return both files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
