"""Consumers' own topics, queues and containers, on Azure's SDKs against the local Azure."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient
from azure.storage.blob import BlobServiceClient

from mesh.azure.clients import Clients
from mesh.azure.destinations import KEPT, AzureDestinations
from mesh.errors import Rejected
from mesh.model.subscription import Channel
from mesh.ports import Parcel
from tests.ports.conftest import settings
from tests.ports.starting import part

EVENT = {
    "specversion": "1.0",
    "id": "ab" * 16,
    "source": "urn:mesh:geo:regions",
    "type": "mesh.product.updated.v1",
    "subject": "v1/runways",
    "time": "2026-11-22T09:30:00.000Z",
    "datacontenttype": "application/json",
    "dataschema": "urn:mesh:schemas:events:mesh.product.updated.v1",
    "sequence": "00000000000000000007",
    "partitionkey": "geo.regions",
    "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
    "dataref": "https://storage.invalid/published/x.csv",
    "data": {"domain": "geo", "product": "regions", "object": "runways", "text": "ü🛬"},
}
NAME = f"geo/regions/00000000000000000007-{EVENT['id']}"


def parcel(channel: Channel, target: str, **fields: Any) -> Parcel:
    made = Parcel(
        channel=channel, target=target, id="msg_1", event=EVENT, limit=timedelta(seconds=20)
    )
    return replace(made, **fields)


@pytest.fixture(scope="module")
def destinations(storage_account: str) -> Iterator[AzureDestinations]:
    clients = Clients(settings(storage=storage_account, allow_loopback_webhooks=True))
    made = AzureDestinations(clients)
    yield made
    made.close()
    clients.close()


@pytest.fixture(scope="module")
def bus(service_bus: dict[str, str]) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(service_bus["connection_string"]) as client:
        yield client


@pytest.fixture
def queue(messaging: Clients) -> Iterator[str]:
    name = f"inbox-{uuid.uuid4().hex[:8]}"
    messaging.administration().create_queue(name)
    yield name
    messaging.administration().delete_queue(name)


def received(bus: ServiceBusClient, queue: str) -> Any:
    with bus.get_queue_receiver(queue, receive_mode="receiveanddelete") as receiver:
        [message] = receiver.receive_messages(max_wait_time=20)
        return message


def test_a_queue_gets_the_event_in_structured_mode(
    destinations: AzureDestinations, service_bus: dict[str, str], bus: ServiceBusClient, queue: str
) -> None:
    target = f"127.0.0.1:{service_bus['port']}/{queue}"

    made = destinations.deliver(parcel(Channel.SERVICE_BUS, target))

    assert (made.outcome, made.reason) == ("delivered", f"{target} took it.")
    message = received(bus, queue)
    assert json.loads(b"".join(message.body)) == EVENT
    assert message.content_type.startswith("application/cloudevents+json")
    assert (message.message_id, message.session_id) == ("msg_1", "geo.regions")
    assert message.application_properties[b"cloudEvents:type"] == EVENT["type"].encode()


def test_a_queue_that_is_not_there_is_a_failed_attempt(
    destinations: AzureDestinations, service_bus: dict[str, str], messaging: Clients
) -> None:
    target = f"127.0.0.1:{service_bus['port']}/comes-later"

    made = destinations.deliver(parcel(Channel.SERVICE_BUS, target))

    assert (made.outcome, made.status) == ("retry", None)
    assert made.reason.startswith("It could not be told: MessagingEntityNotFoundError")
    messaging.administration().create_queue("comes-later")
    assert destinations.deliver(parcel(Channel.SERVICE_BUS, target)).outcome == "delivered"


def test_nobody_listens(destinations: AzureDestinations) -> None:
    for channel, target in (
        (Channel.SERVICE_BUS, "127.0.0.1:1/queue"),
        (Channel.EVENT_GRID, "http://127.0.0.1:1/topic/api/events"),
        (Channel.INBOX, "http://127.0.0.1:1/devstoreaccount1/inbox"),
    ):
        made = destinations.deliver(parcel(channel, target, limit=timedelta(seconds=2)))
        assert made.outcome == "retry", made


@pytest.fixture
def inbox(storage_account: str) -> Iterator[tuple[str, Any]]:
    """URL of a folder in a container, and a client of the container."""
    with BlobServiceClient.from_connection_string(storage_account) as blobs:
        container = blobs.create_container(f"inbox-{uuid.uuid4().hex[:8]}")
        yield f"{container.url.partition('?')[0]}/from/mesh", container


def test_an_inbox_gets_a_file_named_by_the_event(
    destinations: AzureDestinations, inbox: tuple[str, Any]
) -> None:
    url, container = inbox

    for _ in range(2):
        assert destinations.deliver(parcel(Channel.INBOX, url)).outcome == "delivered"

    assert list(container.list_blob_names()) == [f"from/mesh/{NAME}.json"]
    blob = container.get_blob_client(f"from/mesh/{NAME}.json")
    assert json.loads(blob.download_blob().readall()) == EVENT
    assert blob.get_blob_properties().content_settings.content_type.startswith(
        "application/cloudevents+json"
    )


def test_an_inbox_gets_a_copy_when_asked(
    destinations: AzureDestinations, inbox: tuple[str, Any]
) -> None:
    url, container = inbox
    pieces = iter([b"code,name\n", b"CH,Switzerland\n"])
    files = iter([("all.csv", pieces), ("day=1/part-0.parquet", iter([b"PAR1"]))])

    made = destinations.deliver(parcel(Channel.INBOX, url, files=files))

    assert made.outcome == "delivered"
    folder = f"from/mesh/{NAME}"
    assert sorted(container.list_blob_names()) == [
        f"{folder}.json",
        f"{folder}/all.csv",
        f"{folder}/day=1/part-0.parquet",
    ]
    copied = container.get_blob_client(f"{folder}/all.csv").download_blob().readall()
    assert copied == b"code,name\nCH,Switzerland\n"


def test_an_inbox_that_is_not_there(destinations: AzureDestinations, storage_account: str) -> None:
    with BlobServiceClient.from_connection_string(storage_account) as blobs:
        url = f"{blobs.url.partition('?')[0].rstrip('/')}/nowhere"

    made = destinations.deliver(parcel(Channel.INBOX, url))

    assert (made.outcome, made.status) == ("retry", 404)
    assert "ContainerNotFound" in made.reason


def test_a_topic_of_event_grid_hands_the_event_on(
    service_bus: dict[str, str], bus: ServiceBusClient, queue: str, tmp_path: Path
) -> None:
    """Letter for letter: what comes out is what is on record."""
    to_queue = {"endpointType": "ServiceBusQueue", "properties": {"queueName": queue}}
    topic = {
        "name": "fleet",
        "inputSchema": "CloudEventSchemaV1_0",
        "eventSubscriptions": [
            {"name": "all", "destination": to_queue, "eventDeliverySchema": "CloudEventSchemaV1_0"}
        ],
    }
    topology = tmp_path / "topology.json"
    topology.write_text(json.dumps({"topics": [topic]}))
    options = ["--topology", topology, "--port=0", "--service-bus"]
    with part("local.event_grid", *options, service_bus["connection_string"]) as told:
        clients = Clients(settings(event_grid_key=told["key"], allow_loopback_webhooks=True))
        found = AzureDestinations(clients)
        url = f"{told['url']}/fleet/api/events"
        made = found.deliver(parcel(Channel.EVENT_GRID, url))
        wrong = found.deliver(parcel(Channel.EVENT_GRID, f"{told['url']}/other/api/events"))

        assert (made.outcome, made.reason) == ("delivered", f"{url} took it.")
        assert json.loads(b"".join(received(bus, queue).body)) == EVENT
        assert (wrong.outcome, wrong.status) == ("retry", 404), wrong
        found.close()


def test_what_it_may_not_be_aimed_at_is_refused_at_each_attempt(storage_account: str) -> None:
    clients = Clients(settings(storage=storage_account, destination_hosts=("*.example.net",)))
    destinations = AzureDestinations(clients)

    made = destinations.deliver(parcel(Channel.INBOX, "http://127.0.0.1:1/account/inbox"))

    assert (made.outcome, made.status) == ("refused", None)
    assert "'127.0.0.1:1' is not the name of a host" in made.reason
    with pytest.raises(Rejected, match="those are \\*\\.example\\.net"):
        destinations.check(Channel.INBOX, "https://fleet.blob.core.windows.net/inbox")


def test_only_so_many_connections_are_kept(
    destinations: AzureDestinations, inbox: tuple[str, Any]
) -> None:
    url, _ = inbox
    for number in range(KEPT + 3):
        made = destinations.deliver(parcel(Channel.INBOX, f"{url}/{number}"))
        assert made.outcome == "delivered"

    assert len(destinations._kept) == KEPT


class Sender:
    """A connection to a queue; what is sent over it hangs until it may go on."""

    def __init__(self) -> None:
        self.is_used = threading.Event()
        self.may_go_on = threading.Event()
        self.closed = 0

    def send_messages(self, _message: object, **_: object) -> None:
        self.is_used.set()
        self.may_go_on.wait()

    def close(self) -> None:
        self.closed += 1


class Scripted(Clients):
    """Clients of queues that answer at once, but for one."""

    def __init__(self) -> None:
        super().__init__(settings(destination_hosts=("*.example.net",)))
        self.made: dict[str, Any] = {"hangs.example.net": Sender()}

    def queue_sender(self, host: str, queue: str, is_local: bool) -> Any:  # noqa: ARG002 - as it is
        sender = self.made.setdefault(host, Sender())
        if not host.startswith("hangs"):
            sender.may_go_on.set()
        return sender


def test_who_needs_room_for_a_connection_waits_for_nobody_s() -> None:
    clients = Scripted()
    destinations = AzureDestinations(clients)
    hanging = clients.made["hangs.example.net"]

    def tell(name: str) -> str:
        made = destinations.deliver(parcel(Channel.SERVICE_BUS, f"{name}.example.net/events"))
        return made.outcome

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(tell, "hangs")
        hanging.is_used.wait()
        assert {tell(f"quick-{number}") for number in range(KEPT + 1)} == {"delivered"}
        assert (slow.done(), hanging.closed) == (False, 0)
        hanging.may_go_on.set()
        assert slow.result() == "delivered"

    assert [name for name, one in clients.made.items() if one.closed] == [
        "hangs.example.net",
        "quick-0.example.net",
    ]
    destinations.close()
    assert {one.closed for one in clients.made.values()} == {1}
