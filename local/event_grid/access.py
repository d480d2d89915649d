"""Who may publish: the topic's key, a signature made with it, or a bearer token.

There is no Entra ID on one machine, so that any bearer token is taken; what it proves is that the
publisher sent one. `AzureKeyCredential` and `AzureSasCredential` work over plain HTTP as they are;
the SDK sends a bearer token over HTTP only when told so: `client.send(…, enforce_https=False)`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import unquote_plus, urlsplit

from local.process import LocalError

DEVELOPMENT_KEY = base64.b64encode(b"local-event-grid-development-key").decode()
"""The well-known key of every local topic; like Azurite's it protects nothing."""


class NotAuthorized(Exception):
    """The publisher has not shown that it may publish."""


def check_key(key: str) -> None:
    """Refuse a key that could not sign.

    Raises:
        LocalError: it is not base64.
    """
    try:
        base64.b64decode(key, validate=True)
    except ValueError:
        message = "The access key of Event Grid must be base64. Choose another one with --key."
        raise LocalError(message) from None


def authorize(
    headers: Mapping[str, str],
    query: Mapping[str, str],
    *,
    key: str,
    path: str,
    host: str,
    now: float,
) -> None:
    """Check one request to publish to the topic at `path`.

    Raises:
        NotAuthorized: no credential, or a wrong, expired or foreign one; with Azure's message.
    """
    authorization = headers.get("Authorization", "")
    scheme, _, credential = authorization.partition(" ")
    signature = headers.get("aeg-sas-token")
    if scheme.casefold() == "sharedaccesssignature":
        signature = credential
    shown = headers.get("aeg-sas-key") or query.get("aeg-sas-key")
    if shown is not None:
        if not hmac.compare_digest(shown.encode(), key.encode()):
            raise _not_authorized(host, "The key is not a key of this topic.")
    elif signature is not None:
        _check_signature(signature, key=key, path=path, host=host, now=now)
    elif not (scheme.casefold() == "bearer" and credential):
        message = (
            "Request must contain one of the following authorization signature: "
            "aeg-sas-token, aeg-sas-key."
        )
        raise NotAuthorized(message)


def _check_signature(token: str, *, key: str, path: str, host: str, now: float) -> None:
    signed, _, signature = token.rpartition("&s=")
    made = hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()
    expected = base64.b64encode(made).decode()
    if not hmac.compare_digest(unquote_plus(signature).encode(), expected.encode()):
        raise _not_authorized(host, "The signature does not match.")
    fields = dict(field.partition("=")[::2] for field in signed.split("&"))
    if urlsplit(unquote_plus(fields.get("r", ""))).path != path:
        raise _not_authorized(host, "The signature is for another resource.")
    expires = _read_time(unquote_plus(fields.get("e", "")))
    if expires is None:
        raise _not_authorized(host, "The expiry of the signature is not a date and time.")
    if expires <= now:
        raise _not_authorized(host, "The signature has expired.")


def _read_time(text: str) -> float | None:
    for read in (datetime.fromisoformat, _read_american):
        try:
            moment = read(text)
        except ValueError:
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _read_american(text: str) -> datetime:
    """`6/15/2026 6:20:15 PM`, which .NET writes."""
    return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)


def _not_authorized(host: str, reason: str) -> NotAuthorized:
    return NotAuthorized(
        f"The request authorization key is not authorized for {host.upper()}. "
        f"This is due to the reason: {reason}"
    )
