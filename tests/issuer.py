"""An issuer of OpenID Connect tokens: real keys, published over HTTPS on loopback, and rotated when a test says so."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import get_default_algorithms

KEYS: dict[str, Any] = {
    "RS256": lambda: rsa.generate_private_key(65_537, 2_048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class Issuer:
    """What an identity provider is to us: two documents, and tokens."""

    def __init__(self, address: str) -> None:
        self.issuer = address
        self.documents: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.failure: Exception | None = None
        """What a request fails with."""
        self._private: dict[str, tuple[str, Any]] = {}
        self._publish()

    def add_key(self, key_id: str, algorithm: str = "RS256") -> None:
        self._private[key_id] = (algorithm, KEYS[algorithm]())
        self._publish()

    def withdraw(self, key_id: str) -> None:
        del self._private[key_id]
        self._publish()

    def token(self, key_id: str, *, headers: dict[str, object] | None = None, **claims: object) -> str:
        algorithm, private = self._private[key_id]
        standard = {"iss": self.issuer, "aud": "chat", "sub": "alice", "exp": int(time.time()) + 600}
        payload = {name: value for name, value in {**standard, **claims}.items() if value is not None}
        return jwt.encode(payload, private, algorithm, headers={"kid": key_id, **(headers or {})})

    def public_jwk(self, key_id: str) -> dict[str, Any]:
        algorithm, private = self._private[key_id]
        jwk: dict[str, Any] = get_default_algorithms()[algorithm].to_jwk(private.public_key(), as_dict=True)
        return {**jwk, "kid": key_id, "use": "sig", "alg": algorithm}

    def publish(self, keys: list[dict[str, Any]]) -> None:
        self.documents["/keys"] = json.dumps({"keys": keys}).encode()

    def _publish(self) -> None:
        discovery = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}
        self.documents["/.well-known/openid-configuration"] = json.dumps(discovery).encode()
        self.publish([self.public_jwk(key_id) for key_id in self._private])

    def fetch(self, url: str) -> bytes:
        """What a request for the URL gets, without a socket."""
        self.asked.append(url)
        if self.failure:
            raise self.failure
        return self.documents[url.removeprefix(self.issuer)]


@contextmanager
def served(folder: Path) -> Iterator[tuple[Issuer, Path]]:
    """An issuer behind a real socket, and the certificate that its clients have to trust."""
    certificate, key = _certificate(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                self._drip()
                return
            if self.path == "/odd":
                self.wfile.write(b"what?\r\n\r\n")
                return
            document = issuer.documents.get(self.path)
            self.send_response(200 if document is not None else 302)
            if document is None:
                self.send_header("Location", f"{issuer.issuer}/keys")
            self.end_headers()
            self.wfile.write(document or b"")

        def _drip(self) -> None:
            """Never ends, and never lets the client wait for long."""
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # until the client hangs up
                while True:
                    self.wfile.write(b" ")
                    time.sleep(0.05)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"https://127.0.0.1:{server.server_port}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield issuer, certificate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file
