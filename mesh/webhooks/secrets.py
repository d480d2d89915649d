"""Secrets of webhooks, derived when needed and never stored (docs/decisions/0004).

A subscription's secret is a function of a master key, its id and its generation, so a copy of the
record signs nothing. Whoever holds a master key can derive every secret: it lives in Key Vault.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mesh.model.subscription import Scheme
from mesh.webhooks.signing import SigningSecret, sign

SETTING = "WEBHOOK_SIGNING_KEY"
SECRET_BYTES = 32
MASTER_KEY_BYTES = 32

_REMEDY = "Make one with `openssl rand -base64 32`."


@dataclass(frozen=True, kw_only=True, slots=True)
class SigningSecrets:
    """The secrets of all subscriptions.

    Attributes:
        master_keys: the first is the current one: secrets that are given out are derived from it.
            The others have had their day, but may have secrets out: every notification is also
            signed with those, until the operator takes the old key out of the setting.
    """

    master_keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_setting(cls, text: str) -> SigningSecrets:
        """Read the setting: master keys in base64, comma-separated, the current one first.

        Raises:
            ValueError: it is empty, not base64, too short, or names a key twice. The message tells
                which key by its place and never shows any of it.
        """
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        if not parts:
            raise ValueError(f"{SETTING} is empty. {_REMEDY}")
        keys: list[bytes] = []
        for place, part in enumerate(parts, start=1):
            key = _decoded(part, place)
            if key in keys:
                raise ValueError(f"{SETTING}: key {place} stands there twice. Leave one of them.")
            keys.append(key)
        return cls(master_keys=tuple(keys))

    def reveal(self, subscription: str, generation: int, *, scheme: Scheme = "v1") -> str:
        """What to tell the subscriber, once: `whsec_…` (v1) or `whpk_…` (v1a)."""
        return derive(self.master_keys[0], subscription, generation, scheme).shared

    def tokens(self, name: str) -> tuple[str, ...]:
        """The token of this name, by each master key: the first is to be sent, all are good.

        Who does not hold a master key can tell no token from another's.
        """
        return tuple(_token(key, name) for key in self.master_keys)

    def headers(
        self,
        *,
        subscription: str,
        generations: Sequence[int],
        webhook_id: str,
        at: datetime,
        body: bytes,
        scheme: Scheme = "v1",
    ) -> dict[str, str]:
        """The headers of one attempt, signed with every secret the subscriber may hold.

        Args:
            generations: the live ones (`mesh.model.delivery.live_generations`).

        Raises:
            ValueError: as `mesh.webhooks.signing.sign`.
        """
        live = [
            derive(key, subscription, generation, scheme)
            for generation in generations
            for key in self.master_keys
        ]
        return sign(live, webhook_id=webhook_id, at=at, body=body)


def derive(
    master_key: bytes, subscription: str, generation: int, scheme: Scheme = "v1"
) -> SigningSecret:
    """Derive one secret.

    What is derived depends on everything in `info`; changing its form changes every secret there
    is, so it carries a version.

    Raises:
        ValueError: no subscription is named, or its generation is below 1.
    """
    if not subscription or generation < 1:
        raise ValueError(f"no secret has subscription {subscription!r}, generation {generation}")
    # The subscription comes last: whatever it holds, no other pair has the same text.
    info = f"mvmesh webhook secret 1\n{scheme}\n{generation}\n{subscription}"
    return SigningSecret(scheme=scheme, key=_derived(master_key, info))


def _token(master_key: bytes, name: str) -> str:
    key = _derived(master_key, f"mvmesh destination token 1\n{name}")
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _derived(master_key: bytes, info: str) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    hkdf = HKDF(algorithm=SHA256(), length=SECRET_BYTES, salt=None, info=info.encode())
    return hkdf.derive(master_key)


def _decoded(part: str, place: int) -> bytes:
    try:
        key = base64.b64decode(part, validate=True)
    except binascii.Error:
        raise ValueError(f"{SETTING}: key {place} is not base64. {_REMEDY}") from None
    if len(key) < MASTER_KEY_BYTES:
        message = (
            f"{SETTING}: key {place} has {len(key)} bytes; at least {MASTER_KEY_BYTES} are needed. "
            f"{_REMEDY}"
        )
        raise ValueError(message)
    return key
