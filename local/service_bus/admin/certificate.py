"""The certificate of the administration endpoint: for loopback, signed by itself."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.process import LOOPBACK, LocalError

_LIFE = dt.timedelta(days=825)
_RENEW_BEFORE = dt.timedelta(days=30)


def ensure_certificate(folder: Path) -> tuple[Path, Path]:
    """Give the files of a valid certificate and its key in a folder; make them if need be.

    Raises:
        LocalError: the folder cannot be written to.
    """
    certificate, key = folder / "service-bus.pem", folder / "service-bus.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (_is_valid(certificate) and _is_its_key(certificate, key)):
            _make(certificate, key)
    except OSError as refused:
        message = f"The certificate cannot be kept in {folder}: {refused.strerror}."
        raise LocalError(message) from None
    return certificate, key


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Give the server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _is_valid(certificate: Path) -> bool:
    try:
        known = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return known.not_valid_after_utc > dt.datetime.now(dt.UTC) + _RENEW_BEFORE


def _is_its_key(certificate: Path, key: Path) -> bool:
    try:
        tls_context(certificate, key)
    except (FileNotFoundError, ssl.SSLError):
        return False
    return True


def _make(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local Service Bus")])
    now = dt.datetime.now(dt.UTC)
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(private, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
