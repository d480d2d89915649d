"""Contents back into sections: for the journal, with a rule's changes, and for a receiver."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from local.service_bus.amqp.decoding import skip
from local.service_bus.amqp.encoding import NULL, described, encode, encode_list, encode_map
from local.service_bus.amqp.sections import (
    ANNOTATIONS,
    APPLICATION,
    EPOCH,
    HEADER,
    PROPERTIES,
    PROPERTY_INDEX,
    VALUE,
    Wire,
    pairs_of,
    read_content,
    sections,
)
from local.service_bus.amqp.types import Symbol, Timestamp, UInt
from local.service_bus.core.message import Changes, Content, Message, Value

_PROPERTY_COUNT = 13
_NO_TTL = 0xFFFFFFFF


class SectionsCodec:
    """Contents as message sections: what the journal keeps, and how changes are made."""

    def encode(self, content: Content) -> bytes:
        """Give the sender's message, less what the broker sets."""
        wire: Wire = content.wire
        parts = []
        if content.time_to_live is not None:
            parts.append(_header(content.time_to_live, 0))
        if wire.annotation_count:
            pairs = encode_map(wire.annotation_count, wire.annotations)
            parts.append(described(ANNOTATIONS, pairs))
        parts.append(wire.tail)
        return b"".join(parts)

    def decode(self, encoded: bytes) -> Content:
        """Read what `encode` gave."""
        return read_content(encoded)

    def rewrite(self, content: Content, changes: Changes) -> Content:
        """Give a copy with the changes made, in the fields and in the bytes."""
        parts: dict[int, bytes] = {}
        rest = []
        tail = content.wire.tail
        for code, start, value, end in sections(tail):
            if code in {PROPERTIES, APPLICATION}:
                parts[code] = tail[value:end]
            else:
                rest.append(tail[start:end])
        system = {k: v for k, v in changes.system.items() if k in PROPERTY_INDEX}
        properties = _rewritten_properties(parts.get(PROPERTIES), system)
        application = _rewritten_user(parts.get(APPLICATION), changes)
        written = b"".join([properties, application, *rest])
        user = {
            name: value
            for name, value in {**content.user, **changes.user}.items()
            if name not in changes.removed
        }
        fields: dict[str, Any] = dict(changes.system)
        return replace(content, user=user, wire=replace(content.wire, tail=written), **fields)


def _rewritten_properties(section: bytes | None, system: dict[str, Value]) -> bytes:
    if not system:
        return b"" if section is None else described(PROPERTIES, section)
    encoded = []
    if section is not None and section != b"\x45":
        position, end = (3 if section[0] == 0xC0 else 9), len(section)
        while position < end:
            start, position = position, skip(section, position)
            encoded.append(section[start:position])
    encoded += [NULL] * (_PROPERTY_COUNT - len(encoded))
    for name, value in system.items():
        if name == "content_type" and value is not None:
            value = Symbol(value)  # noqa: PLW2901 - the one field whose AMQP type is not string
        encoded[PROPERTY_INDEX[name]] = encode(value)
    return described(PROPERTIES, encode_list(encoded))


def _rewritten_user(section: bytes | None, changes: Changes) -> bytes:
    gone = changes.removed | changes.user.keys()
    old = () if section is None else pairs_of(section, 0)
    pairs = [pair for key, pair, _ in old if key not in gone]
    for name, value in changes.user.items():
        if name not in changes.removed:
            pairs.append(encode(name) + encode(_writable(value)))
    return described(APPLICATION, encode_map(len(pairs), b"".join(pairs))) if pairs else b""


def _writable(value: Value) -> Any:
    if isinstance(value, dt.datetime):
        return Timestamp((value - EPOCH) // dt.timedelta(milliseconds=1))
    return value


def _header(time_to_live: float | None, delivery_count: int) -> bytes:
    milliseconds = None if time_to_live is None else round(time_to_live * 1000)
    ttl = NULL if milliseconds is None or milliseconds >= _NO_TTL else encode(UInt(milliseconds))
    return described(HEADER, encode_list([NULL, NULL, ttl, NULL, encode(UInt(delivery_count))]))


def _pair(name: str, value: Any) -> bytes:
    return encode(Symbol(name)) + encode(value)


_ENQUEUED = encode(Symbol("x-opt-enqueued-time")) + b"\x83"
_SEQUENCE = encode(Symbol("x-opt-sequence-number")) + b"\x81"
_FIRST_SEQUENCE = encode(Symbol("x-opt-enqueue-sequence-number")) + b"\x81"
_LOCKED_UNTIL = encode(Symbol("x-opt-locked-until")) + b"\x83"


def _eight(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def write_message(message: Message) -> bytes:
    """Write a message for a receiver, with the annotations that the broker owes."""
    wire: Wire = message.content.wire
    ttl = message.content.time_to_live
    if message.expires_at is not None:  # the entity's default may be shorter
        ttl = message.expires_at - message.enqueued_at
    pairs = [
        _ENQUEUED + _eight(round(message.enqueued_at * 1000)),
        _SEQUENCE + _eight(message.sequence),
        _FIRST_SEQUENCE + _eight(message.enqueued_sequence),
    ]
    if message.token is not None:
        pairs.append(_LOCKED_UNTIL + _eight(round(message.locked_until * 1000)))
    if message.state:
        pairs.append(_pair("x-opt-message-state", int(message.state)))
    if message.dead_letter_source is not None:
        pairs.append(_pair("x-opt-deadletter-source", message.dead_letter_source))
    count = len(pairs) + wire.annotation_count
    annotations = described(ANNOTATIONS, encode_map(count, b"".join(pairs) + wire.annotations))
    return _header(ttl, message.failed_deliveries) + annotations + wire.tail


def write_value_message(*, correlation_id: Any, application: dict[str, Any], body: Any) -> bytes:
    """Write a response of a management node."""
    properties = [NULL] * _PROPERTY_COUNT
    properties[PROPERTY_INDEX["correlation_id"]] = encode(correlation_id)
    return (
        described(PROPERTIES, encode_list(properties))
        + described(APPLICATION, encode(application))
        + described(VALUE, encode(body))
    )
