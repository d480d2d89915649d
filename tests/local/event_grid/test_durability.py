"""Nothing that was accepted is lost: by a restart, by a kill, or by a stuck destination."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.core.credentials import AzureKeyCredential
from azure.eventgrid import EventGridPublisherClient
from azure.storage.blob import BlobServiceClient

from local.azurite import Endpoints
from local.event_grid import EventGrid, ManualClock
from local.process import LocalError
from tests.local.azurite.running import Part, failing
from tests.local.event_grid.building import CLOUD, cloud_event, subscription, topology, webhook
from tests.local.event_grid.receivers import Webhook

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[Webhook]:
    async with Webhook() as hook:
        yield hook


async def test_retries_go_on_after_a_restart(hook: Webhook, tmp_path: Path) -> None:
    definition = topology(subscription(webhook(hook.url), eventDeliverySchema=CLOUD))
    clock = ManualClock()
    hook.gate = asyncio.Event()
    options: dict[str, Any] = {"topology": definition, "state": tmp_path, "clock": clock}
    async with EventGrid(**options) as grid:
        grid.publish("orders", [cloud_event(id="e")])
        await hook.got(1)  # and no answer before the end
    hook.gate.set()
    async with EventGrid(**options) as grid:
        await clock.advance(0)
        await hook.got(2)
        await clock.settled()
        assert grid.pumps("orders")["sub"].pending == 0
    assert [each.json["id"] for each in hook.notifications] == ["e", "e"]


async def test_a_subscription_that_is_gone_takes_its_events_with_it(
    hook: Webhook, tmp_path: Path
) -> None:
    hook.agrees = False
    definition = topology(subscription(webhook(hook.url), eventDeliverySchema=CLOUD))
    async with EventGrid(topology=definition, state=tmp_path) as grid:
        grid.publish("orders", [cloud_event()])
        await hook.asked(1)
    async with EventGrid(topology=topology(), state=tmp_path):
        pass
    with sqlite3.connect(tmp_path / "event-grid.sqlite") as left:
        assert left.execute("SELECT COUNT(*) FROM events").fetchone() == (0,)
    left.close()


async def test_a_state_folder_serves_one_event_grid_only(tmp_path: Path) -> None:
    async with EventGrid(topology=topology(), state=tmp_path):
        with pytest.raises(LocalError, match="Another process works with the state file"):
            await EventGrid(topology=topology(), state=tmp_path).start()


async def test_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "event-grid.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(LocalError, match=r"is damaged .* Move it away to start empty"):
        await EventGrid(topology=topology(), state=tmp_path).start()


async def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "event-grid.sqlite").mkdir()
    with pytest.raises(LocalError, match="Cannot open the state file"):
        await EventGrid(topology=topology(), state=tmp_path).start()


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    file = tmp_path / "topology.json"
    file.write_text("{}")
    async with EventGrid(topology=topology()) as grid:
        port = grid.url.rpartition(":")[2]
        code, errors = await asyncio.to_thread(
            failing, "local.event_grid", "--topology", file, f"--port={port}"
        )
    assert code == 2
    assert f"error: Port {port} for Event Grid is in use." in errors


def write_topology(folder: Path, hook: Webhook, container: str) -> Path:
    declared = subscription(webhook(hook.url), eventDeliverySchema=CLOUD)
    prefix = f"/blobServices/default/containers/{container}/"
    value = {
        "topics": [{"name": "orders", "inputSchema": CLOUD, "eventSubscriptions": [declared]}],
        "systemTopics": [
            {
                "name": "landing",
                "eventSubscriptions": [{**declared, "filter": {"subjectBeginsWith": prefix}}],
            }
        ],
    }
    file = folder / "topology.json"
    file.write_text(json.dumps(value))
    return file


async def test_kill_and_restart_lose_neither_events_nor_blobs(
    azurite: Endpoints, hook: Webhook, tmp_path: Path
) -> None:
    container = f"c-{uuid.uuid4()}"
    options = (
        *("--topology", write_topology(tmp_path, hook, container), "--port=0"),
        *("--state", tmp_path / "grid"),
        *("--storage", azurite.connection_string, "--journal", azurite.journal),
    )
    hook.gate = asyncio.Event()  # nobody answers before the end, so that nothing is done
    sent = await asyncio.to_thread(
        publish_while_killing, options, azurite.connection_string, container
    )
    hook.gate.set()
    hook.notifications.clear()
    part = await asyncio.to_thread(Part, "local.event_grid", *options)
    async with asyncio.timeout(30):
        while not sent <= {each.json["subject"] for each in hook.notifications}:
            await hook.got(len(hook.notifications) + 1)
    assert await asyncio.to_thread(part.end) == 0


def publish_while_killing(options: tuple[Any, ...], storage: str, container: str) -> set[str]:
    """Publish and upload, killing Event Grid each time right after; the subjects of all events."""
    sent: set[str] = set()
    with BlobServiceClient.from_connection_string(storage) as service:
        blobs = service.create_container(container)

        def upload() -> None:
            name = f"{uuid.uuid4()}.csv"
            blobs.upload_blob(name, b"1")
            sent.add(f"/blobServices/default/containers/{container}/blobs/{name}")

        for _ in range(2):
            part = Part("local.event_grid", *options)
            key = AzureKeyCredential(part.ready["key"])
            endpoint = f"{part.ready['url']}/orders/api/events"
            with EventGridPublisherClient(endpoint, key) as client:
                for _ in range(10):
                    events = [cloud_event(), cloud_event()]
                    client.send(events)
                    sent |= {event["subject"] for event in events}
                    upload()
            part.end(kill=True)
            upload()  # while nobody listens
    return sent
