"""Frames: what the peers of a connection say to each other.

Every field of a performative is written, null ones at the end too: older clients index fields
without looking at how many there are.
"""

from __future__ import annotations

import struct
from typing import Any

from local.service_bus.amqp.decoding import decode, skip
from local.service_bus.amqp.encoding import NULL, described, encode, encode_list
from local.service_bus.amqp.types import Described, Int, MalformedError, Symbol, UByte, UInt
from local.service_bus.core.errors import BrokerError

OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
SASL_MECHANISMS, SASL_INIT, SASL_CHALLENGE, SASL_RESPONSE, SASL_OUTCOME = range(0x40, 0x45)

ACCEPTED, REJECTED, RELEASED, MODIFIED = range(0x24, 0x28)
_ERROR = 0x1D
SOURCE, TARGET = 0x28, 0x29

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"

MAX_FRAME_SIZE = 1024 * 1024
_FRAME_HEADER = struct.Struct(">IBBH")
_UINT = struct.Struct(">BI").pack
EMPTY_FRAME = _FRAME_HEADER.pack(8, 2, 0, 0)

_FIELD_COUNTS = {
    OPEN: 10,
    BEGIN: 8,
    ATTACH: 14,
    FLOW: 11,
    TRANSFER: 11,
    DISPOSITION: 6,
    DETACH: 3,
    END: 1,
    CLOSE: 1,
    SASL_INIT: 3,
}


def frame(channel: int, body: bytes, *, sasl: bool = False) -> bytes:
    """Put the frame header before a body."""
    return _FRAME_HEADER.pack(len(body) + 8, 2, 1 if sasl else 0, channel) + body


def read_performative(body: bytes) -> tuple[int, list[Any], bytes]:
    """Read a frame's body: (code, fields padded to their full number, payload).

    Raises:
        MalformedError: the body is no performative.
    """
    value, end = decode(body, 0)
    if not isinstance(value, Described) or not isinstance(value.value, list):
        raise MalformedError("a frame's body is no performative")
    code, fields = value.descriptor, value.value
    if not isinstance(code, int):
        raise MalformedError("a performative has a descriptor that is no number")
    fields += [None] * (_FIELD_COUNTS.get(code, 0) - len(fields))
    return code, fields, body[end:]


def raw_items(described_list: bytes) -> list[bytes]:
    """Give the encoded items of a described list, such as a source or an attach performative.

    Raises:
        MalformedError: it is none.
    """
    at = skip(described_list, 1)
    end = skip(described_list, at)
    code = described_list[at]
    if code == 0x45:
        return []
    if code not in {0xC0, 0xD0}:
        raise MalformedError("a composite value is no list")
    at += 3 if code == 0xC0 else 9
    items = []
    while at < end:
        start, at = at, skip(described_list, at)
        items.append(described_list[start:at])
    return items


def composite(code: int, *fields: Any) -> bytes:
    """Write a described list of fields; `bytes` are taken as encoded already."""
    return described(code, encode_list([f if isinstance(f, bytes) else encode(f) for f in fields]))


def error(refused: BrokerError) -> bytes:
    """Write an AMQP error, always with its three fields: clients index them."""
    return composite(_ERROR, Symbol(refused.condition), str(refused), NULL)


def open_frame(container: str, idle_timeout: int) -> bytes:
    """Write our half of opening a connection; the timeout is in milliseconds."""
    fields = (container, None, UInt(MAX_FRAME_SIZE), b"\x60\xff\xff", UInt(idle_timeout))
    return frame(0, composite(OPEN, *fields, None, None, None, None, None))


def begin_frame(channel: int, remote_channel: int, *, window: int) -> bytes:
    """Write our half of beginning a session."""
    remote = b"\x60" + remote_channel.to_bytes(2, "big")
    handles = UInt(0xFFFFFFFF)
    fields = (remote, UInt(0), UInt(window), UInt(window), handles, None, None, None)
    return frame(channel, composite(BEGIN, *fields))


def attach_frame(
    channel: int,
    *,
    name: str,
    handle: int,
    receiver: bool,
    settle_modes: tuple[int, int],
    source: bytes,
    target: bytes,
    max_message_size: int | None = None,
    properties: dict[Symbol, Any] | None = None,
) -> bytes:
    """Write our half of attaching a link. `receiver` is our role; source and target are encoded."""
    sender_mode, receiver_mode = settle_modes
    size = NULL if max_message_size is None else b"\x80" + max_message_size.to_bytes(8, "big")
    fields = (name, UInt(handle), receiver, UByte(sender_mode), UByte(receiver_mode))
    first = NULL if receiver else encode(UInt(0))
    rest = (source, target, None, None, first, size, None, None, properties)
    return frame(channel, composite(ATTACH, *fields, *rest))


def flow_frame(
    channel: int,
    *,
    next_incoming: int,
    next_outgoing: int,
    window: int,
    handle: int | None = None,
    delivery_count: int | None = None,
    credit: int | None = None,
    drain: bool = False,
) -> bytes:
    """Write a flow: of the session, or of a link where `handle` is given."""

    def optional(value: int | None) -> UInt | None:
        return None if value is None else UInt(value & 0xFFFFFFFF)

    session = (UInt(next_incoming), UInt(window), UInt(next_outgoing), UInt(window))
    link = (optional(handle), optional(delivery_count), optional(credit), None, drain, False, None)
    return frame(channel, composite(FLOW, *session, *link))


def transfer_start(handle: int, delivery_id: int, tag: bytes, *, settled: bool) -> bytes:
    """Write the fields of a transfer up to and including `settled`, without the list's header."""
    return b"".join(
        (
            encode(UInt(handle)),
            encode(UInt(delivery_id)),
            encode(tag),
            b"\x43",
            b"\x41" if settled else b"\x42",
        )
    )


def transfer_frame(channel: int, start: bytes, payload: bytes, *, more: bool) -> bytes:
    """Write a transfer whose first five fields are `start`."""
    fields = start + (b"\x41" if more else b"\x42") + b"\x40\x40\x42\x42\x42"
    head = bytes((0x00, 0x53, TRANSFER, 0xC0, len(fields) + 1, 11)) + fields
    size = 8 + len(head) + len(payload)
    return b"".join((_FRAME_HEADER.pack(size, 2, 0, channel), head, payload))


TRANSFER_OVERHEAD = 64
"""Upper bound of a transfer frame's size without its payload; our tags have 16 bytes."""


def disposition_frame(
    channel: int, *, receiver: bool, first: int, last: int, state: bytes
) -> bytes:
    """Write a settled disposition; `receiver` is our role."""
    role = b"\x41" if receiver else b"\x42"
    body = b"".join((role, _UINT(0x70, first), _UINT(0x70, last), b"\x41", state, b"\x42"))
    if len(body) < 255:  # no error in it: written as a whole, for it answers every message
        return frame(channel, bytes((0x00, 0x53, DISPOSITION, 0xC0, len(body) + 1, 6)) + body)
    fields = (receiver, UInt(first), UInt(last), True, state, False)
    return frame(channel, composite(DISPOSITION, *fields))


def detach_frame(channel: int, handle: int, refused: BrokerError | None = None) -> bytes:
    """Write that a link is closed, and why."""
    why = NULL if refused is None else error(refused)
    return frame(channel, composite(DETACH, UInt(handle), True, why))


def end_frame(channel: int) -> bytes:
    """Write that a session has ended."""
    return frame(channel, composite(END, None))


def close_frame(refused: BrokerError | None = None) -> bytes:
    """Write that the connection closes, and why."""
    return frame(0, composite(CLOSE, NULL if refused is None else error(refused)))


ACCEPTED_STATE = composite(ACCEPTED)


def rejected_state(refused: BrokerError) -> bytes:
    """Write the outcome of a refusal."""
    return composite(REJECTED, error(refused))


def status(code: int) -> Int:
    """Give a status code in the type that clients expect."""
    return Int(code)
