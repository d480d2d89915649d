"""The wire itself, byte by byte: what no SDK does, or does only when something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from local.service_bus import ServiceBusEmulator
from local.service_bus.amqp import performatives as p
from local.service_bus.amqp.decoding import decode
from local.service_bus.amqp.encoding import described, encode
from local.service_bus.amqp.sections import sections
from local.service_bus.amqp.types import Described, Symbol, UInt
from tests.local.service_bus.fake import content
from tests.local.service_bus.lab import entities

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT = 10.0


class Wire:
    """A client that sends and reads frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, code: int, *fields: Any, payload: bytes = b"") -> None:
        self.write(p.frame(0, p.composite(code, *fields) + payload))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def header(self) -> bytes:
        async with asyncio.timeout(TIMEOUT):
            return await self._reader.readexactly(8)

    async def frame(self) -> tuple[int, bytes]:
        """Give the type and body of the next frame."""
        async with asyncio.timeout(TIMEOUT):
            size, offset, kind, _ = struct.unpack(">IBBH", await self._reader.readexactly(8))
            body = await self._reader.readexactly(size - 8)
            return kind, body[offset * 4 - 8 :]

    async def read(self) -> tuple[int, list[Any], bytes]:
        return p.read_performative((await self.frame())[1])

    async def rest(self) -> bytes:
        """Read until the broker closes."""
        async with asyncio.timeout(TIMEOUT):
            return await self._reader.read()

    async def attach(self, address: str, *, receives: bool, handle: int = 0) -> list[Any]:
        near = p.composite(p.TARGET if receives else p.SOURCE, "client")
        far = p.composite(p.SOURCE if receives else p.TARGET, address)
        source, target = (far, near) if receives else (near, far)
        first = None if receives else UInt(0)
        fields = (f"link{handle}", UInt(handle), receives, b"\x50\x02", b"\x50\x01", source, target)
        self.send(p.ATTACH, *fields, None, False, first)
        code, answer, _ = await self.read()
        assert code == p.ATTACH
        return answer

    def flow(self, *, count: int, credit: int, drain: bool = False, echo: bool = False) -> None:
        session = (UInt(0), UInt(1000), UInt(0), UInt(1000))
        self.send(p.FLOW, *session, UInt(0), UInt(count), UInt(credit), None, drain, echo)

    def transfer(self, number: int, message: bytes, **fields: bool) -> None:
        settled, more = fields.get("settled", False), fields.get("more", False)
        end = (None, None, False, fields.get("aborted", False), False)
        tag = encode(number.to_bytes(4, "big"))
        start = (UInt(0), UInt(number), tag, UInt(0), settled, more)
        self.send(p.TRANSFER, *start, *end, payload=message)


class Wires:
    """Makes clients of one broker, and closes them."""

    def __init__(self, bus: ServiceBusEmulator) -> None:
        self.bus = bus
        self._made: list[Wire] = []

    async def connect(self) -> Wire:
        """Connect, and say nothing."""
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.bus.port))
        self._made.append(wire)
        return wire

    async def open(self, *, window: int = 1000, frame_size: int = 2**20) -> Wire:
        """Open a connection without SASL, and a session on channel 0."""
        wire = await self.connect()
        wire.write(p.AMQP_HEADER)
        assert await wire.header() == p.AMQP_HEADER
        wire.send(p.OPEN, "client", None, UInt(frame_size))
        assert (await wire.read())[0] == p.OPEN
        wire.send(p.BEGIN, None, UInt(0), UInt(window), UInt(1000))
        assert (await wire.read())[0] == p.BEGIN
        return wire

    async def close(self) -> None:
        await asyncio.gather(*(wire.close() for wire in self._made))


def _message(text: str) -> bytes:
    return described(0x75, encode(text.encode()))


@pytest_asyncio.fixture(loop_scope="module")
async def wires() -> AsyncIterator[Wires]:
    async with ServiceBusEmulator(entities=entities({"q": {}})) as bus:
        wires = Wires(bus)
        yield wires
        await wires.close()


def _put(wires: Wires, *texts: str) -> None:
    bus = wires.bus
    target = bus.namespace.directory.sendable("q")
    bus.namespace.router.send(target, [content(text) for text in texts])


def _left(wires: Wires) -> int:
    return len(wires.bus.namespace.directory.queues["q"].mailbox)


# Beginnings


async def test_sasl_lets_everyone_in(wires: Wires) -> None:
    wire = await wires.connect()
    wire.write(p.SASL_HEADER)
    assert await wire.header() == p.SASL_HEADER
    kind, body = await wire.frame()
    assert kind == 1
    assert Symbol("ANONYMOUS") in p.read_performative(body)[1][0]
    wire.write(p.frame(0, p.composite(p.SASL_INIT, Symbol("PLAIN"), b"\xa0\x01x"), sasl=True))
    kind, body = await wire.frame()
    code, fields, _ = p.read_performative(body)
    assert (kind, code, fields[0]) == (1, p.SASL_OUTCOME, 0)


@pytest.mark.parametrize(
    "hello",
    [
        b"AMQP\x02\x01\x00\x00",
        b"AMQP\x00\x00\x09\x01",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_other_protocols_are_sent_away(
    wires: Wires, hello: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    wire = await wires.connect()
    wire.write(hello)
    assert await wire.rest() in (p.SASL_HEADER, b"")
    assert "A client sent what is not AMQP 1.0" in caplog.text


@pytest.mark.parametrize(
    ("nonsense", "reason"),
    [
        (struct.pack(">IBBH", 2**31, 2, 0, 0), "a frame announces 2147483648 bytes"),
        (struct.pack(">IBBH", 8, 9, 0, 0), "its body at 36"),
        (p.frame(0, b"\x99\x99"), "unknown type code 0x99"),
        (p.frame(0, b"\x41"), "no performative"),
        (p.frame(0, p.composite(p.TRANSFER, Symbol("handle"), None)), ""),
        (p.frame(0, p.composite(p.FLOW, "x", "y")), "impossible fields"),
        (p.frame(0, p.composite(p.ATTACH, 5, None, None)), "an attach without name or handle"),
        (p.frame(0, p.composite(p.DISPOSITION, True, "x")), "impossible fields"),
    ],
)
async def test_nonsense_closes_the_connection_and_harms_nobody_else(
    wires: Wires, nonsense: bytes, reason: str
) -> None:
    other = await wires.open()
    wire = await wires.open()
    wire.write(nonsense)
    if not reason:  # a transfer without link is nothing to stumble over
        wire.send(p.CLOSE)
    rest = await wire.rest()
    assert b"amqp:decode-error" in rest or not reason
    assert reason.encode() in rest
    await other.attach("q", receives=False)
    assert (await other.read())[0] == p.FLOW


async def test_an_idle_client_hears_a_heartbeat(wires: Wires) -> None:
    wire = await wires.connect()
    wire.write(p.AMQP_HEADER)
    await wire.header()
    wire.send(p.OPEN, "client", None, UInt(2**20), None, UInt(100))
    assert (await wire.read())[0] == p.OPEN
    assert await wire.frame() == (0, b"")


async def test_ends_are_answered(wires: Wires) -> None:
    wire = await wires.open()
    await wire.attach("q", receives=True)
    wire.send(p.DETACH, UInt(0), True)
    code, fields, _ = await wire.read()
    assert (code, fields[:2]) == (p.DETACH, [0, True])
    wire.send(p.END)
    assert (await wire.read())[0] == p.END
    wire.send(p.DETACH, UInt(0), True)  # too late, as the SDK does
    wire.send(p.CLOSE)
    assert (await wire.read())[0] == p.CLOSE
    assert await wire.rest() == b""


# Sending


async def test_unsettled_settled_parted_and_aborted_transfers(wires: Wires) -> None:
    wire = await wires.open()
    answer = await wire.attach("amqps://127.0.0.1:1/Q", receives=False)
    assert answer[10] == 262_144
    assert (await wire.read())[0] == p.FLOW
    message = _message("parted")
    wire.transfer(0, _message("settled"), settled=True)
    wire.transfer(1, _message("gone")[:5], more=True)
    wire.transfer(1, b"", aborted=True)
    wire.transfer(2, message[:4], more=True)
    wire.transfer(2, message[4:])
    code, fields, _ = await wire.read()
    assert (code, fields[:4]) == (p.DISPOSITION, [True, 2, 2, True])
    assert fields[4] == Described(p.ACCEPTED, [])
    assert _left(wires) == 2


async def test_a_message_that_is_none_is_rejected_with_three_fields(
    wires: Wires,
) -> None:
    wire = await wires.open()
    await wire.attach("q", receives=False)
    await wire.read()
    wire.transfer(0, b"no message")
    _, fields, _ = await wire.read()
    [error] = fields[4].value
    assert len(error.value) == 3
    assert error.value[0] == "com.microsoft:argument-error"
    assert "begins no message section" in error.value[1]


async def test_credit_is_renewed(wires: Wires) -> None:
    wire = await wires.open()
    await wire.attach("q", receives=False)
    _, fields, _ = await wire.read()
    credit = fields[6]
    for number in range(credit):
        wire.transfer(number, _message("x"), settled=True)
    for _ in range(2):
        code, fields, _ = await wire.read()
        assert (code, fields[6]) == (p.FLOW, credit)
    assert _left(wires) == credit


async def test_transactions_are_refused(wires: Wires) -> None:
    wire = await wires.open()
    coordinator = described(0x30, encode([]))
    source = p.composite(p.SOURCE, "client")
    wire.send(p.ATTACH, "link", UInt(0), False, None, None, source, coordinator)
    code, fields, _ = await wire.read()
    assert (code, fields[5], fields[6]) == (p.ATTACH, None, None)
    _, fields, _ = await wire.read()
    assert fields[2].value[0] == "amqp:not-implemented"


# Receiving


async def test_drain_gives_what_is_there_and_takes_the_rest_back(wires: Wires) -> None:
    _put(wires, "1", "2")
    wire = await wires.open()
    await wire.attach("q", receives=True)
    wire.flow(count=0, credit=5, drain=True)
    assert [(await wire.read())[0] for _ in range(2)] == [p.TRANSFER, p.TRANSFER]
    code, fields, _ = await wire.read()
    assert (code, fields[5], fields[6], fields[8]) == (p.FLOW, 5, 0, True)


async def test_echo_tells_the_state_of_the_link(wires: Wires) -> None:
    wire = await wires.open()
    await wire.attach("q", receives=True)
    wire.flow(count=0, credit=3, echo=True)
    _, fields, _ = await wire.read()
    assert (fields[4], fields[5], fields[6]) == (0, 0, 3)


async def test_the_session_window_holds_deliveries_back(wires: Wires) -> None:
    _put(wires, "x" * 1500, "after")
    wire = await wires.open(window=1, frame_size=512)
    await wire.attach("q", receives=True)
    session = (UInt(0), UInt(1), UInt(0), UInt(1000))
    wire.send(p.FLOW, *session, UInt(0), UInt(0), UInt(10))
    _, first, payload = await wire.read()
    assert first[5] is True  # more frames follow
    wire.send(p.FLOW, UInt(1), UInt(100), UInt(0), UInt(1000))
    more = True
    while more:
        _, fields, part = await wire.read()
        payload += part
        more = fields[5]
    assert b"x" * 1500 in payload
    _, second, payload = await wire.read()
    assert payload.endswith(b"after")
    assert (first[1], second[1]) == (0, 1)


async def test_a_range_of_deliveries_is_settled_at_once(wires: Wires) -> None:
    _put(wires, "1", "2", "3")
    wire = await wires.open()
    await wire.attach("q", receives=True)
    wire.flow(count=0, credit=3)
    numbers = [(await wire.read())[1][1] for _ in range(3)]
    wire.send(p.DISPOSITION, True, UInt(numbers[0]), UInt(numbers[2]), False, p.ACCEPTED_STATE)
    for number in numbers:
        _, fields, _ = await wire.read()
        assert fields[:4] == [False, number, number, True]
    assert _left(wires) == 0


async def test_an_unknown_outcome_is_refused(wires: Wires) -> None:
    _put(wires, "1")
    wire = await wires.open()
    await wire.attach("q", receives=True)
    wire.flow(count=0, credit=1)
    number = (await wire.read())[1][1]
    wire.send(p.DISPOSITION, True, UInt(number), None, False, p.composite(0x34, b"\xa0\x01x"))
    _, fields, _ = await wire.read()
    [error] = fields[4].value
    assert error.value[:2] == ["amqp:not-allowed", "The outcome 0x34 is not supported."]


async def test_receivers_of_a_deleted_queue_are_told(wires: Wires) -> None:
    wire = await wires.open()
    await wire.attach("q", receives=True)
    namespace = wires.bus.namespace
    namespace.delete(namespace.directory.queues["q"])
    code, fields, _ = await wire.read()
    assert (code, fields[0], fields[2].value[0]) == (p.DETACH, 0, "amqp:not-found")


# Requests


async def _ask(wire: Wire, node: str, operation: str, body: Any) -> dict[str, Any]:
    """Ask a node; give the application properties of its answer."""
    await wire.attach(node, receives=True, handle=1)
    await wire.attach(node, receives=False, handle=0)
    assert (await wire.read())[0] == p.FLOW
    properties = described(0x73, encode(["id", None, None, None, node]))
    application = described(0x74, encode({"operation": operation}))
    wire.transfer(0, properties + application + described(0x77, encode(body)))
    answers = {}
    for _ in range(2):
        code, _, payload = await wire.read()
        answers[code] = payload
    payload = answers[p.TRANSFER]
    [found] = [decode(payload, at)[0] for code, _, at, _ in sections(payload) if code == 0x74]
    return dict(found)


@pytest.mark.parametrize(
    ("operation", "body", "status", "condition"),
    [
        ("com.microsoft:nothing", {}, 501, "amqp:not-implemented"),
        ("com.microsoft:renew-lock", {}, 400, "com.microsoft:argument-error"),
        ("com.microsoft:renew-lock", {"lock-tokens": 5}, 400, "com.microsoft:argument-error"),
        ("com.microsoft:peek-message", None, 400, "com.microsoft:argument-error"),
        (
            "com.microsoft:schedule-message",
            {"messages": [{"message": b"nonsense"}]},
            400,
            "com.microsoft:argument-error",
        ),
        ("com.microsoft:get-session-state", {"session-id": "x"}, 400, "amqp:not-allowed"),
        (
            "com.microsoft:update-disposition",
            {"lock-tokens": [], "disposition-status": "?"},
            200,
            None,
        ),
    ],
)
async def test_requests_that_cannot_be_met_say_why(
    wires: Wires, operation: str, body: Any, status: int, condition: str | None
) -> None:
    answer = await _ask(await wires.open(), "q/$management", operation, body)
    assert (answer["statusCode"], answer.get("errorCondition")) == (status, condition)


async def test_cbs_knows_put_token_only(wires: Wires) -> None:
    answer = await _ask(await wires.open(), "$cbs", "put-token", "token")
    assert answer["status-code"] == 202
    answer = await _ask(await wires.open(), "$cbs", "steal-token", "token")
    assert answer["status-code"] == 400
