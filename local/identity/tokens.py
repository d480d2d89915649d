"""Sign access tokens as Microsoft Entra does (v2.0, for an application), with a key that is kept.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import json
import os
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.identity.registrations import TENANT, Application

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

LIFETIME_S = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Signs for one issuer.

    Attributes:
        key_id: of the key, as in the header of tokens and in the set of keys.
    """

    issuer: str
    key: RSAPrivateKey
    key_id: str

    def token(self, application: Application, *, audience: str, now: float) -> str:
        """An access token that is good for `LIFETIME_S` from `now` (seconds since 1970)."""
        import jwt

        at = int(now)
        claims = {
            "aud": audience,
            "iss": self.issuer,
            "iat": at,
            "nbf": at,
            "exp": at + LIFETIME_S,
            "azp": application.app_id,
            "azpacr": "1",
            "oid": application.object_id,
            "sub": application.object_id,
            "app_displayname": application.name,
            "idtyp": "app",
            "tid": TENANT,
            "uti": uuid.uuid4().hex,
            "ver": "2.0",
            **({"roles": list(application.roles)} if application.roles else {}),
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def keys(self) -> dict[str, Any]:
        """The set of keys (JWKS) that tokens verify with."""
        from jwt.algorithms import RSAAlgorithm

        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "use": "sig", "alg": "RS256", "kid": self.key_id}]}


def load_signer(state: Path, *, issuer: str) -> Signer:
    """The key of a state folder, made when first asked for; its id is a digest."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = state / "signing-key.pem"
    if not path.exists():
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _write_private(path, pem)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)  # it is ours
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return Signer(issuer=issuer, key=key, key_id=digest.finalize().hex()[:32])


def load_secret(state: Path) -> str:
    """The client secret of a state folder, made when first asked for."""
    path = state / "client-secret"
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii")


def _write_private(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    temporary.replace(path)
