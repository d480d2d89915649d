"""The unmodified asyncio SDK against the broker: sessions."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from local.service_bus import ServiceBusEmulator
from tests.local.service_bus.lab import NOTHING, WAIT, entities, name

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Sessions:
    """A client, and senders that are open."""

    def __init__(
        self,
        bus: ServiceBusEmulator,
        client: ServiceBusClient,
        senders: dict[str, ServiceBusSender],
    ) -> None:
        self.bus, self.client, self._senders = bus, client, senders

    async def send(self, session: str, *bodies: str, queue: str = "sessions") -> None:
        messages = [ServiceBusMessage(body, session_id=session) for body in bodies]
        await self._senders[queue].send_messages(messages)

    async def send_to(self, queue: str, *sessions: str) -> None:
        """Send one message to each session."""
        messages = [ServiceBusMessage("x", session_id=session) for session in sessions]
        await self._senders[queue].send_messages(messages)

    def accept(
        self, session: object, queue: str = "sessions", **options: float
    ) -> ServiceBusReceiver:
        options.setdefault("max_wait_time", WAIT)
        return self.client.get_queue_receiver(queue, session_id=session, **options)  # type: ignore[arg-type]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sessions() -> AsyncIterator[Sessions]:
    properties = {"RequiresSession": True}
    queues = {
        "sessions": properties,
        "next": properties,
        "listed": properties,
        "short": {**properties, "LockDuration": "PT1S", "MaxDeliveryCount": 2},
    }
    async with (
        ServiceBusEmulator(entities=entities(queues)) as bus,
        ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client,
    ):
        senders = {queue: client.get_queue_sender(queue) for queue in queues}
        await asyncio.gather(*(sender.__aenter__() for sender in senders.values()))
        yield Sessions(bus, client, senders)
        await asyncio.gather(*(sender.close() for sender in senders.values()))


async def _bodies(receiver: ServiceBusReceiver, count: int) -> list[str]:
    got: list[str] = []
    while len(got) < count:
        messages = await receiver.receive_messages(max_message_count=count)
        assert messages, f"only {got} came"
        for message in messages:
            got.append(str(message))
            await receiver.complete_message(message)
    return got


async def test_a_session_comes_in_order_to_one_receiver(sessions: Sessions) -> None:
    one, other = name(), name()
    await sessions.send(one, "1", "2")
    await sessions.send(other, "x")
    async with sessions.accept(one) as receiver:
        assert receiver.session.session_id == one
        until = receiver.session.locked_until_utc
        now = dt.datetime.now(dt.UTC)
        assert now < until < now + dt.timedelta(seconds=70)
        with pytest.raises(SessionCannotBeLockedError, match="may be locked by another receiver"):
            await sessions.accept(one).__aenter__()
        await sessions.send(one, "3")
        assert await _bodies(receiver, 3) == ["1", "2", "3"]
        assert await receiver.receive_messages(max_wait_time=NOTHING) == []
        assert await receiver.session.renew_lock() >= until
    async with sessions.accept(other) as receiver:
        assert await _bodies(receiver, 1) == ["x"]


async def test_state_is_kept_between_holders(sessions: Sessions) -> None:
    session = name()
    async with sessions.accept(session) as receiver:
        assert await receiver.session.get_state() is None
        await receiver.session.set_state(b"half way")
    async with sessions.accept(session) as receiver:
        assert await receiver.session.get_state() == b"half way"
        await receiver.session.set_state(None)
        assert await receiver.session.get_state() is None


async def test_next_available_waits_for_a_session(sessions: Sessions) -> None:
    async def first() -> tuple[str, list[str]]:
        async with sessions.accept(NEXT_AVAILABLE_SESSION, queue="next") as receiver:
            return receiver.session.session_id, await _bodies(receiver, 1)

    waiting = asyncio.create_task(first())
    await sessions.send("late", "worth waiting for", queue="next")
    assert await waiting == ("late", ["worth waiting for"])


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not holds():  # noqa: ASYNC110 - the broker tells nobody of who waits
            await asyncio.sleep(0.01)


async def test_next_available_gives_up_in_time(sessions: Sessions) -> None:
    with pytest.raises(OperationTimeoutError, match="No session became available within"):
        await sessions.accept(NEXT_AVAILABLE_SESSION, queue="next", max_wait_time=0.5).__aenter__()


async def test_one_who_stops_waiting_takes_no_session(sessions: Sessions) -> None:
    _, mailbox = sessions.bus.namespace.directory.receivable("next")
    await _until(lambda: not mailbox.consumers())  # the one of the test before has gone
    waiting = asyncio.create_task(
        sessions.accept(NEXT_AVAILABLE_SESSION, queue="next", max_wait_time=30).__aenter__()
    )
    await _until(lambda: bool(mailbox.consumers()))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await _until(lambda: not mailbox.consumers())  # the broker has been told
    await sessions.send("after", "x", queue="next")
    async with sessions.accept(NEXT_AVAILABLE_SESSION, queue="next") as receiver:
        assert receiver.session.session_id == "after"
        assert await _bodies(receiver, 1) == ["x"]


async def test_an_expired_session_is_lost_and_its_message_counted(sessions: Sessions) -> None:
    session = name()
    await sessions.send(session, "slow", queue="short")
    late = sessions.accept(session, queue="short")
    async with late:
        [message] = await late.receive_messages()
        async with sessions.accept(NEXT_AVAILABLE_SESSION, queue="short") as receiver:
            assert receiver.session.session_id == session
            [again] = await receiver.receive_messages()
            assert again.delivery_count == 1
            with pytest.raises(SessionLockLostError):
                await late.complete_message(message)
            await receiver.complete_message(again)


async def test_deferred_messages_of_a_session(sessions: Sessions) -> None:
    session = name()
    await sessions.send(session, "later")
    async with sessions.accept(session) as receiver:
        [message] = await receiver.receive_messages()
        await receiver.defer_message(message)
        [peeked] = await receiver.peek_messages(sequence_number=message.sequence_number)
        assert str(peeked) == "later"
        [deferred] = await receiver.receive_deferred_messages(message.sequence_number)
        await receiver.complete_message(deferred)
        assert await receiver.peek_messages(sequence_number=1) == []


async def test_closing_gives_messages_back_uncounted(sessions: Sessions) -> None:
    session = name()
    await sessions.send(session, "x")
    async with sessions.accept(session) as receiver:
        await receiver.receive_messages()
    async with sessions.accept(session) as receiver:
        [again] = await receiver.receive_messages()
        assert again.delivery_count == 0
        await receiver.complete_message(again)


async def test_sessions_are_listed(sessions: Sessions) -> None:
    client = sessions.client
    assert [found async for found in client.list_queue_sessions("listed")] == []
    names = [f"s{number:03}" for number in range(120)]
    await sessions.send_to("listed", *names)
    assert [found async for found in client.list_queue_sessions("listed")] == names
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=60)
    async with sessions.accept("s007", queue="listed") as receiver:
        await receiver.session.set_state(b"x")
    updated = client.list_queue_sessions("listed", state_updated_after=before)
    assert [found async for found in updated] == ["s007"]
