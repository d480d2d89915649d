from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from mesh.webhooks.secrets import SigningSecrets, derive
from mesh.webhooks.signing import SigningSecret

OLD_KEY = base64.b64encode(b"o" * 32).decode()
NEW_KEY = base64.b64encode(b"n" * 48).decode()
BODY = b'{"specversion":"1.0"}'


def _hkdf_sha256(key: bytes, info: bytes, salt: bytes = b"") -> bytes:
    """RFC 5869, for one block of output."""
    extracted = hmac.digest(salt or bytes(32), key, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def test_this_hkdf_is_the_one_of_the_rfc() -> None:
    """RFC 5869, A.1 and A.3 (their first 32 bytes)."""
    known = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    salt, info = bytes(range(13)), bytes(range(0xF0, 0xFA))
    assert _hkdf_sha256(b"\x0b" * 22, info, salt).hex() == known
    known = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert _hkdf_sha256(b"\x0b" * 22, b"").hex() == known


@given(st.binary(min_size=32, max_size=64), st.text(min_size=1), st.integers(1, 10**6))
def test_secrets_are_derived_with_it(master: bytes, subscription: str, generation: int) -> None:
    info = f"mvmesh webhook secret 1\nv1\n{generation}\n{subscription}".encode()
    assert derive(master, subscription, generation).key == _hkdf_sha256(master, info)


def test_a_secret_that_was_given_out_stays_what_it_was() -> None:
    """Receivers hold this one: a release that derives another breaks them all."""
    secrets = SigningSecrets.from_setting(OLD_KEY)
    assert secrets.reveal("sub-1", 1) == "whsec_q/nYv6JIlB+qMQYI9iJh7ZNWsaae3bdzOgWRawCd61Q="
    assert (
        secrets.reveal("sub-1", 1, scheme="v1a")
        == "whpk_AH5mIp7rwRsM+4pnnCbR7vNk8gBdCLfMSvFev/yNN9w="
    )


def test_each_subscription_generation_scheme_and_master_key_has_its_own() -> None:
    keys = [
        derive(master, subscription, generation, scheme).key
        for master in (b"o" * 32, b"n" * 32)
        for subscription in ("a", "b", "1\na")
        for generation in (1, 2, 11)
        for scheme in ("v1", "v1a")
    ]
    assert all(one != other for one, other in combinations(keys, 2))
    assert {len(key) for key in keys} == {32}


def _headers(secrets: SigningSecrets, *generations: int) -> dict[str, str]:
    return secrets.headers(
        subscription="sub-1",
        generations=generations,
        webhook_id="msg_1",
        at=datetime.now(UTC),
        body=BODY,
    )


def test_what_is_revealed_verifies_what_is_signed() -> None:
    secrets = SigningSecrets.from_setting(OLD_KEY)
    Webhook(secrets.reveal("sub-1", 1)).verify(BODY, _headers(secrets, 1))
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets.reveal("sub-2", 1)).verify(BODY, _headers(secrets, 1))


def test_both_generations_verify_while_a_secret_is_rotated() -> None:
    secrets = SigningSecrets.from_setting(OLD_KEY)
    for generation in (1, 2):
        Webhook(secrets.reveal("sub-1", generation)).verify(BODY, _headers(secrets, 2, 1))
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets.reveal("sub-1", 1)).verify(BODY, _headers(secrets, 2))


def test_the_master_key_is_rotated_without_missing_a_notification() -> None:
    before = SigningSecrets.from_setting(OLD_KEY)
    during = SigningSecrets.from_setting(f" {NEW_KEY} , {OLD_KEY} ")
    after = SigningSecrets.from_setting(NEW_KEY)
    old, new = before.reveal("sub-1", 1), during.reveal("sub-1", 2)
    assert new == after.reveal("sub-1", 2)
    Webhook(old).verify(BODY, _headers(during, 1))
    for held in (old, new):
        Webhook(held).verify(BODY, _headers(during, 2, 1))
    Webhook(new).verify(BODY, _headers(after, 2))
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, _headers(after, 2))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("", "WEBHOOK_SIGNING_KEY is empty. Make one with `openssl rand -base64 32`."),
        ("  ", "WEBHOOK_SIGNING_KEY is empty"),
        ("not-base64!", "key 1 is not base64"),
        (f"{OLD_KEY},", "key 2 has 0 bytes; at least 32 are needed"),
        (f"{OLD_KEY},dG9vIHNob3J0", "key 2 has 9 bytes; at least 32 are needed"),
        (f"{OLD_KEY},{NEW_KEY},{OLD_KEY}", "key 3 stands there twice"),
    ],
)
def test_a_wrong_setting_is_told_and_not_shown(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match="WEBHOOK_SIGNING_KEY") as refused:
        SigningSecrets.from_setting(setting)
    assert message in str(refused.value)
    assert not any(part and part in str(refused.value) for part in setting.strip().split(","))


def test_keys_are_not_shown_by_accident() -> None:
    assert repr(SigningSecrets.from_setting(OLD_KEY)) == "SigningSecrets()"


def test_a_secret_needs_a_subscription_and_a_generation() -> None:
    for subscription, generation in (("", 1), ("sub-1", 0)):
        with pytest.raises(ValueError, match="no secret has subscription"):
            derive(b"o" * 32, subscription, generation)


def test_a_derived_secret_is_a_signing_secret() -> None:
    assert isinstance(derive(b"o" * 32, "sub-1", 1), SigningSecret)
