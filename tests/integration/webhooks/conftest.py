"""Receivers that behave, and receivers that do not: real servers on loopback."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mesh.webhooks.sender import WebhookSender

ORIGIN = "mesh.example"


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass(kw_only=True)
class Receiver:
    """One server; `behave` says how it answers."""

    behave: Behaviour
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # as servers in production do

            def _take(self) -> None:
                length = int(self.headers.get("content-length", 0))
                receiver.requests.append(
                    Request(
                        method=self.command,
                        path=self.path,
                        headers={name.lower(): value for name, value in self.headers.items()},
                        body=self.rfile.read(length),
                        connection=self.client_address[1],
                    )
                )
                receiver.behave(self)

            do_POST = do_OPTIONS = do_GET = _take  # noqa: N815

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """A sender that hangs up is what some tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self.server.socket = self.tls.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=1"

    def stop(self) -> None:
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


def _answer(status: int, headers: dict[str, str], body: bytes) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 204:
            handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        if status != 204:
            handler.wfile.write(body)

    return behave


@dataclass(frozen=True)
class Receivers:
    """Starts receivers; they stop with the test."""

    started: list[Receiver] = field(default_factory=list)

    def behaving(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> Receiver:
        self.started.append(Receiver(behave=behave, tls=tls))
        return self.started[-1]

    def answering(
        self,
        status: int,
        headers: dict[str, str] | None = None,
        body: bytes = b"{}",
        *,
        tls: ssl.SSLContext | None = None,
    ) -> Receiver:
        return self.behaving(_answer(status, headers or {}, body), tls=tls)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    made = Receivers()
    yield made
    for receiver in made.started:
        receiver.stop()


@pytest.fixture
def senders() -> Iterator[Callable[..., WebhookSender]]:
    """Make senders with short limits; their connections close with the test."""
    made: list[WebhookSender] = []

    def make(**options: object) -> WebhookSender:
        settings: dict[str, object] = {"allow_loopback": True, "origin": ORIGIN, "version": "1.2.3"}
        made.append(WebhookSender(**settings | options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for sender in made:
        sender.close()


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate authority that nobody trusts unless told to."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def server(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """TLS for a server with a certificate for these names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(
            names[0], key, issuer=self.certificate.subject, signed_by=self.key, expired=expired
        )
        signed = made.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        ).sign(self.key, SHA256())
        path = self.folder / f"{names[0]}-{expired}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + signed.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    certificate = (
        _certificate("Test authority", key, issuer=subject, signed_by=key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return Authority(folder=folder, key=key, certificate=certificate)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Name,
    signed_by: ec.EllipticCurvePrivateKey,
    expired: bool = False,
) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + (timedelta(days=-1) if expired else timedelta(days=1))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=10))
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()),
            critical=False,
        )
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
