from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from mesh.webhooks.signing import CONTENT_TYPE, SigningSecret, sign

BODY = '{"specversion":"1.0","data":{"name":"Tromsø ✈"}}'.encode()
NEW = SigningSecret(scheme="v1", key=bytes(range(32)))
OLD = SigningSecret(scheme="v1", key=bytes(range(1, 33)))
PAIR = SigningSecret(scheme="v1a", key=bytes(range(2, 34)))
STRANGER = SigningSecret(scheme="v1", key=b"\xff" * 32)


def _now() -> datetime:
    return datetime.now(UTC)  # the reference library compares with the real clock


def test_the_headers_are_those_of_the_standard() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
    headers = sign([NEW], webhook_id="msg_1", at=at, body=BODY)
    assert list(headers) == [
        "content-type",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
    assert headers["content-type"] == CONTENT_TYPE
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == str(int(at.timestamp()))
    assert headers["webhook-signature"].startswith("v1,")


def test_the_example_of_the_standard_has_its_known_signature() -> None:
    secret = SigningSecret(scheme="v1", key=base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    headers = sign(
        [secret],
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secrets", [[NEW], [NEW, OLD], [OLD, NEW], [PAIR, NEW]])
def test_the_reference_library_verifies(secrets: list[SigningSecret]) -> None:
    headers = sign(secrets, webhook_id="msg_1", at=_now(), body=BODY)
    assert Webhook(NEW.shared).verify(BODY, headers)["data"] == {"name": "Tromsø ✈"}


def test_both_secrets_are_live_while_rotating() -> None:
    headers = sign([NEW, OLD], webhook_id="msg_1", at=_now(), body=BODY)
    Webhook(NEW.shared).verify(BODY, headers)
    Webhook(OLD.shared).verify(BODY, headers)


@pytest.mark.parametrize(
    ("header", "value"),
    [("webhook-id", "msg_2"), ("webhook-signature", "v1,Zm9yZ2Vk"), ("webhook-timestamp", None)],
)
def test_a_forged_header_fails(header: str, value: str | None) -> None:
    headers = sign([NEW], webhook_id="msg_1", at=_now(), body=BODY)
    headers[header] = value or str(int(headers[header]) - 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW.shared).verify(BODY, headers)


def test_a_forged_body_or_a_foreign_secret_fails() -> None:
    headers = sign([NEW], webhook_id="msg_1", at=_now(), body=BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW.shared).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(STRANGER.shared).verify(BODY, headers)


def test_an_old_attempt_fails() -> None:
    headers = sign([NEW], webhook_id="msg_1", at=_now() - timedelta(minutes=6), body=BODY)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(NEW.shared).verify(BODY, headers)


def test_a_time_in_another_zone_is_the_same_time() -> None:
    at = _now()
    abroad = at.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert sign([NEW, PAIR], webhook_id="msg_1", at=abroad, body=BODY) == sign(
        [NEW, PAIR], webhook_id="msg_1", at=at, body=BODY
    )
    Webhook(NEW.shared).verify(BODY, sign([NEW], webhook_id="msg_1", at=abroad, body=BODY))


def test_ed25519_is_verified_with_the_public_key_alone() -> None:
    headers = sign([PAIR], webhook_id="msg_1", at=_now(), body=BODY)
    assert PAIR.shared.startswith("whpk_")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(PAIR.shared.removeprefix("whpk_")))
    version, signature = headers["webhook-signature"].split(",")
    signed = f"msg_1.{headers['webhook-timestamp']}.".encode() + BODY
    assert version == "v1a"
    public.verify(base64.b64decode(signature), signed)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), signed + b" ")


def test_the_forms_in_which_secrets_are_given_out() -> None:
    assert NEW.shared == "whsec_" + base64.b64encode(bytes(range(32))).decode()
    assert base64.b64encode(PAIR.key).decode() not in PAIR.shared


def test_a_secret_is_not_shown_by_accident() -> None:
    assert repr(NEW) == "SigningSecret(scheme='v1')"


def test_what_cannot_be_signed() -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        sign([], webhook_id="msg_1", at=_now(), body=BODY)
    for bad in ("", "msg.1"):
        with pytest.raises(ValueError, match="must not be empty or hold a dot"):
            sign([NEW], webhook_id=bad, at=_now(), body=BODY)
    with pytest.raises(ValueError, match="must have a time zone"):
        sign([NEW], webhook_id="msg_1", at=datetime(2026, 1, 1), body=BODY)  # noqa: DTZ001
