"""Whatever a client sends, the broker neither raises nor stops serving others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.service_bus.amqp import performatives as p
from local.service_bus.amqp.connection import Connection
from local.service_bus.amqp.encoding import encode
from local.service_bus.amqp.types import Described, Symbol, UInt, ULong
from tests.local.service_bus.fake import Bench
from tests.local.service_bus.test_codec import VALUES
from tests.thorough import examples


class Socket(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def _node(code: int, address: str) -> bytes:
    return p.composite(code, address)


def _begun(bench: Bench) -> tuple[Connection, Socket]:
    """Give a connection with a session, a sender at handle 0 and a receiver at handle 1."""
    connection, socket = Connection(bench.namespace, set()), Socket()
    connection.connection_made(socket)
    connection.data_received(p.AMQP_HEADER)
    for code, fields in (
        (p.OPEN, ("client", None, UInt(4096))),
        (p.BEGIN, (None, UInt(0), UInt(100), UInt(100))),
        (p.ATTACH, ("s", UInt(0), False, None, None, _node(0x28, "x"), _node(0x29, "q"))),
        (p.ATTACH, ("r", UInt(1), True, None, None, _node(0x28, "q"), _node(0x29, "x"))),
    ):
        connection.data_received(p.frame(0, p.composite(code, *fields)))
    bench.settle()
    return connection, socket


_LIKELY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 3).map(UInt),
    st.sampled_from([2**32 - 1, 2**31, 2**63]).map(ULong),
    st.binary(max_size=4),
    st.sampled_from(["q", "q/$management", "$cbs", "q/$deadletterqueue", "nowhere", ""]).map(
        lambda address: Described(ULong(0x28), [address])
    ),
    st.integers(0x23, 0x35).map(lambda code: Described(ULong(code), [])),
    st.just("link"),
    st.just({Symbol("com.microsoft:session-filter"): None}),
    VALUES,
)
_FRAMES = st.tuples(
    st.sampled_from([p.ATTACH, p.FLOW, p.TRANSFER, p.DISPOSITION, p.DETACH, p.BEGIN, p.OPEN, 0x99]),
    st.lists(_LIKELY, max_size=14),
    st.binary(max_size=20),
)


@pytest.mark.asyncio
async def test_random_performatives_disturb_nobody() -> None:
    @settings(max_examples=examples(60))
    @given(st.lists(_FRAMES, min_size=1, max_size=6))
    def check(frames: list[tuple[int, list[Any], bytes]]) -> None:
        bench = Bench()
        bench.queue()
        healthy, heard = _begun(bench)
        broken, _ = _begun(bench)
        for code, fields, payload in frames:
            body = encode(Described(ULong(code), fields)) + payload
            broken.data_received(p.frame(0, body))
            bench.settle()
        broken.connection_lost(None)
        before = len(heard.written)
        start = (UInt(0), UInt(0), encode(b"tag"), UInt(0), False, False)
        message = b"\x00\x53\x75\xa0\x01x"
        healthy.data_received(p.frame(0, p.composite(p.TRANSFER, *start) + message))
        bench.settle()
        assert len(heard.written) > before
        healthy.connection_lost(None)

    check()


@pytest.mark.asyncio
async def test_a_client_that_does_not_read_gets_no_more() -> None:
    bench = Bench()
    queue = bench.queue()
    connection, socket = _begun(bench)
    flow = (UInt(0), UInt(100), UInt(0), UInt(100), UInt(1), UInt(0), UInt(50))
    connection.data_received(p.frame(0, p.composite(p.FLOW, *flow)))
    connection.pause_writing()
    before = len(socket.written)
    bench.send("q", "waits")
    assert len(socket.written) == before
    connection.resume_writing()
    bench.settle()
    assert b"waits" in socket.written[before:]
    assert len(queue.mailbox) == 1
    connection.connection_lost(None)
