from __future__ import annotations

import gc
import json
import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mesh import memory
from mesh.azure.clients import Clients
from mesh.azure.service_bus import ServiceBusQueues
from mesh.errors import Rejected, Unavailable
from mesh.ports import Message, Queues
from tests.ports.conftest import bus_settings, settings
from tests.ports.starting import ROOT, part

Receive = Callable[[int], list[Message]]
TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


@pytest.fixture
def queue(messaging: Clients) -> Iterator[str]:
    """A queue of the local Service Bus that nobody else uses."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    messaging.administration().create_queue(
        name,
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=timedelta(minutes=10),
    )
    yield name
    messaging.administration().delete_queue(name)


@pytest.fixture(params=["memory", "azure"])
def either(request: pytest.FixtureRequest) -> tuple[Queues, str, Receive]:
    """Queues, the name of one that is empty, and how to take so many messages out of it."""
    if request.param == "memory":
        queues = memory.Queues()
        return queues, "test", lambda _: queues.take("test")
    clients: Clients = request.getfixturevalue("messaging")
    name: str = request.getfixturevalue("queue")
    return ServiceBusQueues(clients), name, lambda count: received(clients, name, count)


def received(clients: Clients, queue: str, count: int) -> list[Message]:
    """Take `count` messages that are due, then look for scheduled ones and anything left over."""
    found: list[Any] = []
    with clients._service_bus().get_queue_receiver(
        queue, receive_mode="receiveanddelete"
    ) as receiver:
        while len(found) < count:
            got = receiver.receive_messages(max_message_count=count, max_wait_time=20)
            assert got, f"only {len(found)} of {count} messages came"
            found += got
        found += receiver.peek_messages(max_message_count=250, sequence_number=1)
    return [read(message) for message in found]


def read(message: Any) -> Message:
    assert message.content_type == "application/json"
    properties = {
        key.decode(): value.decode()
        for key, value in (message.application_properties or {}).items()
    }
    return Message(
        id=message.message_id,
        body=json.loads(b"".join(message.body)),
        due=message.scheduled_enqueue_time_utc,
        traceparent=properties.pop("traceparent", None),
    )


def test_messages_arrive_as_they_were_sent(either: tuple[Queues, str, Receive]) -> None:
    queues, name, receive = either
    sent = [
        Message(id="a", body={"text": 'ü€🛬 "x"', "list": [1, None, True]}, traceparent=TRACE),
        Message(id="b", body={}),
    ]

    queues.send(name, sent)
    queues.send(name, [])

    assert receive(2) == sent


def test_messages_wait_until_they_are_due(either: tuple[Queues, str, Receive]) -> None:
    queues, name, receive = either
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    at_once, later = Message(id="a", body={"n": 1}), Message(id="b", body={"n": 2}, due=due)

    queues.send(name, [later, at_once])

    assert sorted(receive(1), key=lambda message: message.id) == [at_once, later]


def test_a_repeated_id_is_dropped(either: tuple[Queues, str, Receive]) -> None:
    queues, name, receive = either
    queues.send(name, [Message(id="a", body={"n": 1})])
    queues.send(name, [Message(id="a", body={"n": 2}), Message(id="b", body={"n": 3})])

    assert [message.body["n"] for message in receive(2)] == [1, 3]


def test_messages_may_be_more_than_one_batch_takes(either: tuple[Queues, str, Receive]) -> None:
    queues, name, receive = either
    sent = [Message(id=f"{number}", body={"x": "x" * 200_000}) for number in range(12)]

    queues.send(name, sent)

    assert [message.id for message in receive(12)] == [message.id for message in sent]


def test_threads_share_a_queue(either: tuple[Queues, str, Receive]) -> None:
    queues, name, receive = either

    def work(worker: int) -> None:
        for turn in range(5):
            queues.send(name, [Message(id=f"{worker}-{turn}", body={"worker": worker})])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    expected = {f"{worker}-{turn}" for worker in range(8) for turn in range(5)}
    assert {message.id for message in receive(40)} == expected


def test_a_message_that_is_too_large_is_refused(messaging: Clients, queue: str) -> None:
    large = Message(id="large", body={"x": "x" * 2_000_000})

    for messages in ([large], [Message(id="small", body={}), large]):
        with pytest.raises(
            Rejected, match=rf"message large is too large for the queue {queue}: \d+ bytes"
        ) as refused:
            ServiceBusQueues(messaging).send(queue, messages)
        assert refused.value.status == 413


def test_a_queue_that_is_not_there_is_named(messaging: Clients) -> None:
    with pytest.raises(Unavailable, match="Sending to the queue nowhere failed: "):
        ServiceBusQueues(messaging).send("nowhere", [Message(id="a", body={})])


def test_a_broker_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.azure.clients.RETRIES", {"retry_total": 0})
    away = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=x;SharedAccessKey=c2VjcmV0;"
    clients = Clients(settings(service_bus=f"{away}UseDevelopmentEmulator=true;"))

    for _ in range(2):
        with pytest.raises(
            Unavailable, match=r"Sending to the queue onboarding failed: .*Connection refused"
        ) as failed:
            ServiceBusQueues(clients).send("onboarding", [Message(id="a", body={})])
        assert "c2VjcmV0" not in str(failed.value)
    clients.close()


# The SDK leaves the socket of a connection that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_sending_goes_on_when_the_broker_was_restarted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--entities", ROOT / "infra" / "service-bus.json", "--admin-port=0"]
    options += ["--state", tmp_path, f"--port={port}"]
    with part("local.service_bus", *options) as told:
        clients = Clients(settings(**bus_settings(told)))
        ServiceBusQueues(clients).send("onboarding", [Message(id="a", body={})])

    with part("local.service_bus", *options):
        ServiceBusQueues(clients).send("onboarding", [Message(id="b", body={})])
        assert [message.id for message in received(clients, "onboarding", 2)] == ["a", "b"]
        clients.close()
    gc.collect()
