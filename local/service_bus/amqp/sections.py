"""Messages on the wire: their sections, read into a `Content`; `codec` writes them.

Sections that the broker does not change are kept as the bytes the sender wrote, so that every
AMQP type arrives as it was sent. A change (a dead-letter reason, a rule's action) rewrites only
the fields it names.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.service_bus.amqp.decoding import decode, skip
from local.service_bus.amqp.encoding import described
from local.service_bus.amqp.types import MalformedError, Symbol, Timestamp
from local.service_bus.core.message import Content, Value

BATCH_FORMAT = 0x80013700
"""The message-format of a transfer whose data sections are messages."""

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION, DATA = range(0x70, 0x76)
VALUE = 0x77

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

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

PROPERTY_INDEX = {
    "message_id": 0,
    "to": 2,
    "subject": 3,
    "reply_to": 4,
    "correlation_id": 5,
    "content_type": 6,
    "session_id": 10,
    "reply_to_session_id": 12,
}


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


def pairs_of(encoded: bytes, position: int) -> Iterator[tuple[Any, bytes, Any]]:
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
    for key, pair, value in pairs_of(encoded, at):
        if key == "x-opt-partition-key" and value is not None:
            fields["partition_key"] = str(value)
        elif key == "x-opt-scheduled-enqueue-time" and isinstance(value, int):
            fields["scheduled_at"] = value / 1000
        if key not in _SET_BY_BROKER:
            kept.append(pair)
    return len(kept), b"".join(kept)


def _read_properties(values: list[Any], fields: dict[str, Any]) -> None:
    for name, index in PROPERTY_INDEX.items():
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
            return EPOCH + dt.timedelta(milliseconds=value)
        except OverflowError:
            return int(value)
    if isinstance(value, Symbol):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str | bytes | uuid.UUID):
        return value
    return str(value)
