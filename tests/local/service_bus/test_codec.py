"""AMQP values: round trips, nonsense, and agreement with the SDK's own codec."""

from __future__ import annotations

import contextlib
import math
import uuid
from typing import Any

import pytest
from azure.servicebus._pyamqp import _decode as sdk_decode
from azure.servicebus._pyamqp import _encode as sdk_encode
from hypothesis import given
from hypothesis import strategies as st

from local.service_bus.amqp.codec import SectionsCodec
from local.service_bus.amqp.decoding import decode, skip
from local.service_bus.amqp.encoding import encode
from local.service_bus.amqp.performatives import raw_items, read_performative
from local.service_bus.amqp.sections import read_content, split_batch
from local.service_bus.amqp.types import (
    Array,
    Described,
    Int,
    MalformedError,
    Opaque,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
)

LONG = st.integers(-(2**63), 2**63 - 1)
SYMBOLS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300).map(Symbol)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    LONG,
    st.floats(allow_nan=False),
    st.text(max_size=300),
    st.binary(max_size=300),
    st.uuids(),
    SYMBOLS,
    LONG.map(Timestamp),
    st.integers(0, 255).map(UByte),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.binary(min_size=4, max_size=4).map(lambda four: Opaque(b"\x73" + four)),
)
KEYS = st.one_of(st.text(max_size=20), SYMBOLS, LONG)
ARRAYS = st.one_of(
    st.lists(LONG), st.lists(st.text()), st.lists(st.uuids()), st.lists(SYMBOLS)
).map(Array)
VALUES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(KEYS, inner, max_size=5),
        st.builds(Described, st.integers(0, 2**63 - 1).map(ULong), inner),
    ),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    encoded = encode(value)
    assert decode(encoded) == (value, len(encoded))
    assert skip(encoded, 0) == len(encoded)


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"\x43", 0),
        (b"\x44", 0),
        (b"\x51\xff", -1),
        (b"\x54\x80", -128),
        (b"\x56\x01", True),
        (b"\x56\x00", False),
        (b"\x60\x01\x00", 256),
        (b"\x61\xff\xff", -1),
        (b"\x72\x3f\x80\x00\x00", 1.0),
        (b"\x45", []),
        (b"\xc0\x03\x02\x41\x42", [True, False]),
        (b"\xe0\x04\x02\x56\x01\x00", [True, False]),
        (b"\xf0\x00\x00\x00\x07\x00\x00\x00\x02\x50\x01\x02", [1, 2]),
        (b"\xe0\x08\x01\x00\x53\x24\xc0\x02\x01\x41", [Described(0x24, [True])]),
    ],
)
def test_forms_that_others_write_are_read(encoded: bytes, value: Any) -> None:
    assert decode(encoded) == (value, len(encoded))


@given(st.binary(max_size=80))
def test_nonsense_is_refused_and_nothing_worse(noise: bytes) -> None:
    for read in (decode, read_content, split_batch, read_performative, raw_items):
        with contextlib.suppress(MalformedError):
            read(noise)


@given(VALUES, st.data())
def test_a_value_cut_short_is_refused(value: Any, data: st.DataObject) -> None:
    encoded = encode(value)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    with pytest.raises(MalformedError):
        decode(cut)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"\x99", "unknown type code 0x99 at byte 0"),
        (b"\xa1\x05ab", "5 bytes are announced at byte 2, 2 are there"),
        (b"\xa1\x01\xff", "no AMQP value at byte 0"),
        (b"\xc1\x02\x01\x41", "a map has a key without a value"),
        (b"\xc0\xff\x01\x41", "announces 255 bytes"),
        (b"\xc0\x01\x20", "announces 1 bytes and 32 items"),
        (b"\x00\x53\x24" * 40 + b"\x40", "nest too deeply"),
        (b"\xe0\x03\x01\x99\x00", "unknown element type 0x99"),
    ],
)
def test_errors_say_what_is_wrong(encoded: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        decode(encoded)


@pytest.mark.parametrize("value", [object(), 2**63, -(2**63) - 1])
def test_values_without_encoding_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        encode(value)


# The SDK's codec as an oracle: it knows nothing of ours.

# It writes every integer as an int of 32 bits, so that is what it is given.
SDK_SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=300),
    st.uuids(),
)
SDK_VALUES = st.one_of(
    SDK_SCALARS,
    st.lists(SDK_SCALARS, max_size=5),
    st.dictionaries(st.text(min_size=1, max_size=9), SDK_SCALARS, max_size=5),
)


def _as_sdk_reads(value: Any) -> Any:
    """The SDK reads strings as bytes."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return [_as_sdk_reads(item) for item in value]
    if isinstance(value, dict):
        return {_as_sdk_reads(key): _as_sdk_reads(item) for key, item in value.items()}
    return value


@given(SDK_VALUES)
def test_the_sdk_reads_what_we_write(value: Any) -> None:
    encoded = memoryview(encode(value))
    rest, read = sdk_decode._DECODE_BY_CONSTRUCTOR[encoded[0]](encoded[1:])
    assert bytes(rest) == b""
    assert read == _as_sdk_reads(value)


@given(SDK_VALUES)
def test_we_read_what_the_sdk_writes(value: Any) -> None:
    output = bytearray()
    sdk_encode.encode_value(output, value)
    read, end = decode(bytes(output))
    assert end == len(output)
    if isinstance(value, float):
        assert math.isclose(read, value)
    else:
        assert read == value


def test_contents_survive_the_journal() -> None:
    codec = SectionsCodec()
    message = (
        b"\x00\x53\x70"
        + encode([None, None, UInt(60_000)])
        + b"\x00\x53\x72"
        + encode({Symbol("x-opt-partition-key"): "p", Symbol("mine"): 1})
        + b"\x00\x53\x73"
        + encode([uuid.UUID(int=7), None, None, "subject"])
        + b"\x00\x53\x74"
        + encode({"b": UByte(3), "at": Timestamp(1000)})
        + b"\x00\x53\x75"
        + encode(b"one")
        + b"\x00\x53\x75"
        + encode(b"two")
        + b"\x00\x53\x78"
        + encode({Symbol("foot"): 1})
    )
    first = codec.decode(message)
    again = codec.decode(codec.encode(first))
    assert (first.time_to_live, first.partition_key, first.subject) == (60.0, "p", "subject")
    assert first.message_id == str(uuid.UUID(int=7))
    assert first.user["b"] == 3
    assert again.wire == first.wire
    assert again.user == first.user


def test_sections_with_long_descriptors_are_read() -> None:
    long_form = b"\x00\x80" + (0x75).to_bytes(8, "big") + encode(b"body")
    assert read_content(long_form).wire.tail == b"\x00\x53\x75" + encode(b"body")


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"\x53\x75", "byte 0 begins no message section"),
        (b"\x00\xa3\x01x\x40", "byte 0 begins no message section"),
        (b"\x00\x53\x73\x41", "must be a list"),
        (b"\x00\x53\x72\x41", "must be a map"),
        (b"\x00\x53\x74\x41", "no map"),
    ],
)
def test_messages_with_wrong_sections_are_refused(encoded: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        read_content(encoded)
