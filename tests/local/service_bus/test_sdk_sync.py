"""The unmodified synchronous SDK against the broker, in another thread.

The asyncio SDK's tests go through every feature; here is what the other transport does by itself:
its own frames, its keep-alive threads, its way of settling.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
)
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    SessionCannotBeLockedError,
)

from local.service_bus.testing import broker_in_thread
from tests.local.service_bus.lab import NOTHING, WAIT, entities


@pytest.fixture(scope="module")
def client() -> Iterator[ServiceBusClient]:
    queues = {
        "plain": {"MaxDeliveryCount": 2},
        "sessions": {"RequiresSession": True},
        "threads": {},
    }
    with (
        broker_in_thread(entities(queues, {"events": {"all": {}}})) as bus,
        ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def plain(client: ServiceBusClient) -> Iterator[tuple[ServiceBusSender, ServiceBusReceiver]]:
    sender = client.get_queue_sender("plain")
    receiver = client.get_queue_receiver("plain", max_wait_time=WAIT)
    with ExitStack() as closing, ThreadPoolExecutor() as pool:
        for handler in pool.map(lambda handler: handler.__enter__(), [sender, receiver]):
            closing.callback(handler.close)
        yield sender, receiver


Plain = tuple[ServiceBusSender, ServiceBusReceiver]


def test_every_way_of_settling(plain: Plain) -> None:
    sender, receiver = plain
    sender.send_messages(
        [ServiceBusMessage(body, application_properties={"k": 1}) for body in ("a", "b", "c", "d")]
    )
    got = []
    while len(got) < 4:
        got += receiver.receive_messages(max_message_count=4)
    completed, abandoned, deferred, dead = got
    receiver.complete_message(completed)
    assert receiver.renew_message_lock(abandoned) >= abandoned.enqueued_time_utc
    receiver.abandon_message(abandoned)
    receiver.defer_message(deferred)
    receiver.dead_letter_message(dead, reason="Why", error_description="Because")
    [again] = receiver.receive_messages()
    assert (str(again), again.delivery_count) == ("b", 1)
    receiver.complete_message(again)
    [later] = receiver.receive_deferred_messages(deferred.sequence_number)
    receiver.complete_message(later)
    assert receiver.peek_messages(sequence_number=1) == []


def test_dead_letters_and_receive_and_delete(client: ServiceBusClient, plain: Plain) -> None:
    sender, receiver = plain
    sender.send_messages(ServiceBusMessage("poison"))
    for _ in range(2):
        receiver.abandon_message(receiver.receive_messages()[0])
    with client.get_queue_receiver(
        "plain",
        sub_queue="deadletter",
        receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE,
        max_wait_time=WAIT,
    ) as dead_letters:
        reasons = {message.dead_letter_reason for message in _take(dead_letters, 2)}
    assert reasons == {"Why", "MaxDeliveryCountExceeded"}


def _take(receiver: ServiceBusReceiver, count: int) -> list[ServiceBusReceivedMessage]:
    got: list[ServiceBusReceivedMessage] = []
    while len(got) < count:
        messages = receiver.receive_messages(max_message_count=count - len(got))
        assert messages
        got += messages
    return got


def test_large_and_too_large(plain: Plain) -> None:
    sender, receiver = plain
    body = b"x" * 250_000
    sender.send_messages(ServiceBusMessage(body))
    [message] = receiver.receive_messages()
    assert b"".join(message.body) == body
    receiver.complete_message(message)
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage(b"x" * 300_000))


def test_scheduled_messages(plain: Plain) -> None:
    sender, receiver = plain
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    [dropped] = sender.schedule_messages(ServiceBusMessage("dropped"), soon)
    sender.schedule_messages(ServiceBusMessage("kept"), soon)
    sender.cancel_scheduled_messages(dropped)
    [message] = receiver.receive_messages()
    assert str(message) == "kept"
    receiver.complete_message(message)
    assert receiver.receive_messages(max_wait_time=NOTHING) == []


def test_iterating_ends_when_nothing_comes(client: ServiceBusClient) -> None:
    with client.get_topic_sender("events") as sender:
        sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
    with client.get_subscription_receiver("events", "all", max_wait_time=0.5) as receiver:
        got = []
        for message in receiver:
            got.append(str(message))
            receiver.complete_message(message)
    assert got == [str(number) for number in range(5)]


def test_sessions(client: ServiceBusClient) -> None:
    with client.get_queue_sender("sessions") as sender:
        sender.send_messages([ServiceBusMessage(body, session_id="s") for body in ("1", "2")])
    with client.get_queue_receiver(
        "sessions", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=WAIT
    ) as receiver:
        assert receiver.session.session_id == "s"
        receiver.session.set_state("state")
        assert receiver.session.get_state() == b"state"
        receiver.session.renew_lock()
        with pytest.raises(SessionCannotBeLockedError):
            client.get_queue_receiver("sessions", session_id="s").__enter__()
        for message in _take(receiver, 2):
            receiver.complete_message(message)
    assert list(client.list_queue_sessions("sessions")) == ["s"]


def test_what_is_not_there(client: ServiceBusClient) -> None:
    with pytest.raises(MessagingEntityNotFoundError, match="'nowhere' could not be found"):
        client.get_queue_sender("nowhere").__enter__()


def test_threads_with_a_sender_each(client: ServiceBusClient) -> None:
    """As the README of the SDK asks for, threads share no handler."""
    ready = threading.Barrier(4, timeout=30)

    def work(worker: int) -> None:
        with client.get_queue_sender("threads") as sender:
            ready.wait()
            for number in range(25):
                sender.send_messages(ServiceBusMessage(f"{worker}-{number}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_receiver(
        "threads", receive_mode=mode, prefetch_count=100, max_wait_time=WAIT
    ) as receiver:
        got = {str(message) for message in _take(receiver, 100)}
    assert len(got) == 100
