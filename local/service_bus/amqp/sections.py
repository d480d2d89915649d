"""Messages on the wire: their sections, read into a `Content` and written for a receiver.

Sections that the broker does not change are kept as the bytes the sender wrote, so that every
AMQP type arrives as it was sent. A change (a dead-letter reason, a rule's action) rewrites only
the fields it names.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from local.service_bus.amqp.decoding import decode, skip
from local.service_bus.amqp.encoding import NULL, described, encode, encode_list, encode_map
from local.service_bus.amqp.types import MalformedError, Symbol, Timestamp, UInt
from local.service_bus.core.message import Changes, Content, Message, Value

BATCH_FORMAT = 0x80013700
"""The message-format of a transfer whose data sections are messages."""

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION, DATA = range(0x70, 0x76)
VALUE = 0x77

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NO_TTL = 0xFFFFFFFF

_SET_BY_BROKER = frozenset(
    {
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-enqueue-sequence-number",
        "x-opt-locked-until",
        "x-opt-lock-token",
        "x-opt-message-state",
        "x-opt-deadletter-source",
    }
)

_PROPERTY_INDEX = {
    "message_id": 0,
    "to": 2,
    "subject": 3,
    "reply_to": 4,
    "correlation_id": 5,
    "content_type": 6,
    "session_id": 10,
    "reply_to_session_id": 12,
}
_PROPERTY_COUNT = 13


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """What the transport keeps of a message: annotations, and all sections from properties on.

    `annotations` holds `annotation_count` encoded pairs, those that the broker sets left out.
    """

    annotation_count: int
    annotations: bytes
    tail: bytes


def sections(encoded: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Give (descriptor, position, position of the value, position after it) of each section.

    Raises:
        MalformedError: the bytes are no message.
    """
    position, length = 0, len(encoded)
    while position < length:
        start = position
        if encoded[start : start + 2] == b"\x00\x53" and start + 2 < length:
            code, value = encoded[start + 2], start + 3
        elif encoded[start] == 0x00:
            code, value = decode(encoded, start + 1)
        else:
            code, value = None, start
        if not isinstance(code, int):
            message = f"byte {start} begins no message section"
            raise MalformedError(message)
        position = skip(encoded, value)
        yield code, start, value, position


def _section(encoded: bytes, code: int, start: int, value: int, end: int) -> bytes:
    """Give a section's bytes, with the descriptor in its one-byte form."""
    if value - start == 3:
        return encoded[start:end]
    return described(code, encoded[value:end])


def split_batch(encoded: bytes) -> list[bytes]:
    """Give the messages of a batch: the contents of its data sections."""
    messages = []
    for code, _, value, _ in sections(encoded):
        if code == DATA:
            messages.append(decode(encoded, value)[0])
    return messages


def read_content(encoded: bytes) -> Content:
    """Read a message as a sender wrote it.

    Raises:
        MalformedError: the bytes are no message.
    """
    fields: dict[str, Any] = {}
    count, pairs, tail = 0, b"", []
    for code, start, value, end in sections(encoded):
        if code == HEADER:
            header = _listed(decode(encoded, value)[0])
            if len(header) > 2 and header[2] is not None:
                fields["time_to_live"] = header[2] / 1000
        elif code == ANNOTATIONS:
            count, pairs = _read_annotations(encoded, value, fields)
        elif code == PROPERTIES:
            _read_properties(_listed(decode(encoded, value)[0]), fields)
        elif code == APPLICATION:
            fields["user"] = _read_user(decode(encoded, value)[0])
        if code >= PROPERTIES:
            tail.append(_section(encoded, code, start, value, end))
    wire = Wire(annotation_count=count, annotations=pairs, tail=b"".join(tail))
    return Content(size=len(encoded), wire=wire, **fields)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedError("a section that must be a list is none")
    return value


def _pairs(encoded: bytes, position: int) -> Iterator[tuple[Any, bytes, Any]]:
    """Give (key, encoded pair, value) of each entry of the map at `position`."""
    code = encoded[position] if position < len(encoded) else 0
    if code not in {0xC1, 0xD1}:
        raise MalformedError("a section that must be a map is none")
    end = skip(encoded, position)
    position += 3 if code == 0xC1 else 9
    while position < end:
        start = position
        key, position = decode(encoded, position)
        value, position = decode(encoded, position)
        yield key, bytes(encoded[start:position]), value


def _read_annotations(encoded: bytes, at: int, fields: dict[str, Any]) -> tuple[int, bytes]:
    kept = []
    for key, pair, value in _pairs(encoded, at):
        if key == "x-opt-partition-key" and value is not None:
            fields["partition_key"] = str(value)
        elif key == "x-opt-scheduled-enqueue-time" and isinstance(value, int):
            fields["scheduled_at"] = value / 1000
        if key not in _SET_BY_BROKER:
            kept.append(pair)
    return len(kept), b"".join(kept)


def _read_properties(values: list[Any], fields: dict[str, Any]) -> None:
    for name, index in _PROPERTY_INDEX.items():
        if index < len(values) and values[index] is not None:
            fields[name] = _text(values[index])


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def _read_user(entries: Any) -> dict[str, Value]:
    if not isinstance(entries, dict):
        raise MalformedError("the application properties are no map")
    return {str(key): readable(value) for key, value in entries.items()}


def readable(value: Any) -> Value:
    """Give a property's value as the core knows values."""
    if isinstance(value, Timestamp):
        try:
            return _EPOCH + dt.timedelta(milliseconds=value)
        except OverflowError:
            return int(value)
    if isinstance(value, Symbol):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str | bytes | uuid.UUID):
        return value
    return str(value)


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
        system = {k: v for k, v in changes.system.items() if k in _PROPERTY_INDEX}
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
        encoded[_PROPERTY_INDEX[name]] = encode(value)
    return described(PROPERTIES, encode_list(encoded))


def _rewritten_user(section: bytes | None, changes: Changes) -> bytes:
    gone = changes.removed | changes.user.keys()
    old = () if section is None else _pairs(section, 0)
    pairs = [pair for key, pair, _ in old if key not in gone]
    for name, value in changes.user.items():
        if name not in changes.removed:
            pairs.append(encode(name) + encode(_writable(value)))
    return described(APPLICATION, encode_map(len(pairs), b"".join(pairs))) if pairs else b""


def _writable(value: Value) -> Any:
    if isinstance(value, dt.datetime):
        return Timestamp((value - _EPOCH) // dt.timedelta(milliseconds=1))
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
    properties[_PROPERTY_INDEX["correlation_id"]] = encode(correlation_id)
    return (
        described(PROPERTIES, encode_list(properties))
        + described(APPLICATION, encode(application))
        + described(VALUE, encode(body))
    )
