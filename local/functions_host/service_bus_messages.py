"""Service Bus messages as the host sends them to the worker: a datum and its metadata.

Which fields exist, and which are strings or JSON, is what the host's Service Bus extension gives:
it hands out no time to live and no lock expiry, its times are UTC without a zone, and arrays of
strings leave out what is empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from azure.functions.meta import Datum
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.functions_host.context import Trace

_NEVER = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_STRINGS = {
    "DeadLetterSource": "dead_letter_source",
    "LockToken": "lock_token",
    "MessageId": "message_id",
    "ContentType": "content_type",
    "ReplyTo": "reply_to",
    "To": "to",
    "Subject": "subject",
    "Label": "subject",
    "CorrelationId": "correlation_id",
    "SessionId": "session_id",
    "ReplyToSessionId": "reply_to_session_id",
    "PartitionKey": "partition_key",
}


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    """The body as bytes; a value or sequence that is no bytes becomes text or JSON."""
    body: Any = message.body
    if message.body_type == AmqpMessageBodyType.DATA:
        return b"".join(body)
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    plain = list(body) if message.body_type == AmqpMessageBodyType.SEQUENCE else body
    return json.dumps(plain, default=_plain).encode()


def single(message: ServiceBusReceivedMessage, *, binary: bool) -> tuple[Datum, dict[str, Datum]]:
    """Make what a function with cardinality one gets. Text is UTF-8, wrong bytes replaced."""
    body = body_of(message)
    data = Datum(body, "bytes") if binary else Datum(body.decode(errors="replace"), "string")
    metadata = {name: Datum(text, "string") for name, text in _texts(message).items()}
    for name, value in _values(message).items():
        metadata[name] = Datum(json.dumps(value, default=_plain), "json")
    return data, metadata


def batch(
    messages: Sequence[ServiceBusReceivedMessage], *, binary: bool
) -> tuple[Datum, dict[str, Datum]]:
    """Make what a function with cardinality many gets."""
    bodies = [body_of(message) for message in messages]
    if binary:
        data = Datum(SimpleNamespace(bytes=bodies), "collection_bytes")
    else:
        texts = [body.decode(errors="replace") for body in bodies]
        data = Datum(SimpleNamespace(string=[text for text in texts if text]), "collection_string")
    metadata: dict[str, Datum] = {}
    texts_of = [_texts(message) for message in messages]
    for name in [*_STRINGS, "TransactionPartitionKey"]:
        found = [texts[name] for texts in texts_of if texts.get(name)]
        metadata[f"{name}Array"] = Datum(SimpleNamespace(string=found), "collection_string")
    values_of = [_values(message) for message in messages]
    for name in values_of[0]:
        column = [values[name] for values in values_of]
        if name == "SequenceNumber":
            metadata[f"{name}Array"] = Datum(SimpleNamespace(sint64=column), "collection_sint64")
        else:
            metadata[f"{name}Array"] = Datum(json.dumps(column, default=_plain), "json")
    return data, metadata


def trace_of(message: ServiceBusReceivedMessage) -> Trace:
    """Open the host's span in the trace of the sender, where the message carries one."""
    properties = _properties(message)
    parent = properties.get("traceparent") or properties.get("Diagnostic-Id")
    state = properties.get("tracestate")
    return Trace.start(
        parent if isinstance(parent, str) else None, state if isinstance(state, str) else None
    )


def expressions(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    """What other bindings may use as `{name}`: metadata, and members of a JSON body."""
    found: dict[str, Any] = {**_texts(message), **_values(message)}
    try:
        body = json.loads(body_of(message))
    except ValueError:
        return found
    return {**found, **body} if isinstance(body, dict) else found


def _texts(message: ServiceBusReceivedMessage) -> dict[str, str]:
    texts = {}
    for name, attribute in _STRINGS.items():
        value = getattr(message, attribute)
        if value is not None:
            texts[name] = str(value)
    return texts


def _values(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    properties = _properties(message)
    expires = message.expires_at_utc or _NEVER
    enqueued = message.enqueued_time_utc or datetime.now(UTC)
    return {
        # The SDK counts failed deliveries, the host this one too.
        "DeliveryCount": (message.delivery_count or 0) + 1,
        "SequenceNumber": message.sequence_number,
        "ExpiresAtUtc": _without_zone(expires),
        "ExpiresAt": expires.isoformat(),
        "EnqueuedTimeUtc": _without_zone(enqueued),
        "EnqueuedTime": enqueued.isoformat(),
        "ApplicationProperties": properties,
        "UserProperties": properties,
    }


def _properties(message: ServiceBusReceivedMessage) -> Mapping[str, Any]:
    properties = message.application_properties or {}
    return {
        name.decode(errors="replace") if isinstance(name, bytes) else name: _plain_or_same(value)
        for name, value in properties.items()
    }


def _plain_or_same(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _plain(value: Any) -> Any:
    """Write as JSON what AMQP has and JSON has not."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def _without_zone(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat()
