"""Sign a notification after Standard Webhooks 1.0."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mesh.model.subscription import Scheme

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
"""Of every body: one CloudEvent in structured mode."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningSecret:
    """What signs.

    Attributes:
        key: 32 bytes: the HMAC key, or the seed of the ed25519 key pair. Never shown in `repr`.
    """

    scheme: Scheme
    key: bytes = field(repr=False)

    @property
    def shared(self) -> str:
        """What the receiver verifies with: `whsec_…` (to be kept secret) or `whpk_…` (public)."""
        if self.scheme == "v1":
            return "whsec_" + base64.b64encode(self.key).decode()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        public = Ed25519PrivateKey.from_private_bytes(self.key).public_key()
        return "whpk_" + base64.b64encode(public.public_bytes_raw()).decode()

    def signature(self, *, webhook_id: str, at: datetime, body: bytes) -> str:
        """`v1,…` or `v1a,…` over `{webhook_id}.{seconds of at}.{body}`."""
        if self.scheme == "v1":
            from standardwebhooks import Webhook

            # The library takes any datetime for UTC, whatever its zone says.
            return Webhook(self.key).sign(webhook_id, at.astimezone(UTC), body.decode())
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        signed = f"{webhook_id}.{_seconds(at)}.".encode() + body
        signature = Ed25519PrivateKey.from_private_bytes(self.key).sign(signed)
        return "v1a," + base64.b64encode(signature).decode()


def sign(
    secrets: Sequence[SigningSecret], *, webhook_id: str, at: datetime, body: bytes
) -> dict[str, str]:
    """The headers of one attempt: content type, id, timestamp, and one signature per secret.

    Args:
        secrets: the live ones; a receiver accepts the notification if any of them is its own.
        webhook_id: the same at every attempt, without a dot (`mesh.model.delivery.webhook_id`).
        at: the time of this attempt, with a time zone; receivers refuse what is minutes off.
        body: exactly the bytes that are sent: UTF-8.

    Raises:
        ValueError: no secret, a dot in the id, or a time without zone.
    """
    if not secrets:
        raise ValueError("a notification must be signed with at least one secret")
    if not webhook_id or "." in webhook_id:
        raise ValueError(f"a webhook id must not be empty or hold a dot: {webhook_id!r}")
    if at.tzinfo is None:
        raise ValueError("the time of an attempt must have a time zone")
    signatures = [secret.signature(webhook_id=webhook_id, at=at, body=body) for secret in secrets]
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(_seconds(at)),
        "webhook-signature": " ".join(signatures),
    }


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
