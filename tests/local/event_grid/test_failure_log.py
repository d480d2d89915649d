"""What Event Grid could not deliver is in the table that Azure has it in, and the alert fires."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from local.event_grid import EventGrid, ManualClock
from local.event_grid.clock import timestamp
from local.event_grid.failure_log import FailedDelivery, FailureLog
from local.event_grid.topology import RESOURCE_GROUP, load_topology
from local.process import listening_socket
from local.telemetry import kql
from local.telemetry.server import make_app
from local.telemetry.store import Store
from tests.infra.queries import files, workbook
from tests.local.azurite.running import Part
from tests.local.event_grid.building import cloud_event, own_event
from tests.local.event_grid.bus import entities, service_bus

pytestmark = pytest.mark.asyncio

TOPOLOGY = Path("infra/event-grid.json")
TOPIC = f"{RESOURCE_GROUP}/providers/Microsoft.EventGrid/topics/mesh-events".lower()
MINUTE = 60.0


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Part]:
    """Somebody has deleted the topic that the mesh's events go to."""
    with service_bus(tmp_path_factory.mktemp("bus"), entities(queues={"landed-files": {}})) as part:
        yield part


@pytest_asyncio.fixture
async def monitor() -> AsyncIterator[tuple[Store, str]]:
    """What receives telemetry, and where."""
    store = Store()
    bound = listening_socket(0, purpose="telemetry", option="--port")
    runner = web.AppRunner(make_app(store), access_log=None)
    await runner.setup()
    await web.SockSite(runner, bound).start()
    yield store, f"http://127.0.0.1:{bound.getsockname()[1]}"
    await runner.cleanup()
    store.close()


def query(name: str) -> str:
    [found] = [each for each in (*files(), *workbook()) if each.name == name]
    return found.text


def alert() -> str:
    return query("kql/alerts/event-grid-delivery.kql")


def asked(store: Store, text: str) -> list[dict[str, Any]]:
    return kql.run(store, text).records()


async def failing(bus: Part, telemetry: str) -> tuple[int, str]:
    """An event that cannot be delivered, tried twice, and a file that can be.

    Returns:
        How many attempts failed, and when the last one did.
    """
    clock = ManualClock()
    connection = bus.ready["connection_string"]
    async with EventGrid(
        topology=load_topology(TOPOLOGY),
        service_bus=connection,
        telemetry=telemetry,
        clock=clock,
        spread=lambda delay: delay,
    ) as grid:
        landed = own_event(
            eventType="Microsoft.Storage.BlobCreated",
            subject="/blobServices/default/containers/landing/blobs/a.csv",
            data={"api": "PutBlob"},
        )
        grid.publish("landing-zone", [landed])
        grid.publish("mesh-events", [cloud_event()])
        await clock.advance(5 * MINUTE)
        assert grid.pumps("landing-zone")["landed-files"].counts.delivered == 1
        counts = grid.pumps("mesh-events")["product-events"].counts
        assert (counts.delivered, counts.failed_attempts) == (0, 2)
        return counts.failed_attempts, timestamp(clock.now())


async def test_the_alert_fires_on_what_could_not_be_delivered(
    bus: Part, monitor: tuple[Store, str]
) -> None:
    store, url = monitor
    assert asked(store, alert()) == []

    failures, last = await failing(bus, url)

    [row] = asked(store, alert())
    assert (row["Topic"], row["EventSubscriptionName"]) == (TOPIC, "PRODUCT-EVENTS")
    assert row["Failures"] == failures
    assert datetime.fromisoformat(row["TimeGenerated"]) == datetime.fromisoformat(last)
    assert "outcome=NotFound" in row["Example"]
    [shown] = asked(store, query("workbook event-grid"))
    assert (shown["_ResourceId"], shown["Failures"]) == (TOPIC, failures)
    attempts = asked(store, "AegDeliveryFailureLogs | project Category, OperationName, Message")
    assert {row["Category"] for row in attempts} == {"DeliveryFailures"}
    assert {row["OperationName"] for row in attempts} == {"Deliver"}
    assert sum("deliveryCount=1" in row["Message"] for row in attempts) == 1
    # It is a log of a resource, and none of the app's.
    assert asked(store, "AppTraces") == []
    for before, after in WRONG:
        assert before in alert()
        assert asked(store, alert().replace(before, after)) != [row]


WRONG = (
    ("AegDeliveryFailureLogs", 'AegDeliveryFailureLogs | where OperationName == "deliver"'),
    ("count()", "dcount(EventSubscriptionName)"),
    ("_ResourceId", "OperationName"),
)
"""Mistakes in the alert that this test would notice."""


async def test_a_receiver_that_is_away_holds_nothing_up() -> None:
    bound = listening_socket(0, purpose="nobody", option="--port")
    nobody = f"http://127.0.0.1:{bound.getsockname()[1]}"
    bound.close()
    log = FailureLog(nobody)

    log.write(FAILED)
    log.close()


FAILED = FailedDelivery(
    resource_id=TOPIC,
    subscription="product-events",
    event_id="1",
    attempts=0,
    published=0.0,
    started=1.0,
    ended=1.25,
    outcome="SocketError",
    response="",
)


async def test_a_message_has_the_members_that_azures_has() -> None:
    assert FAILED.message == (
        "Message:outcome=SocketError, latencyInMs=250, id=1, state=FilteredFailingDelivery, "
        "deliveryTime=1970-01-01T00:00:01.000000Z, deliveryCount=0, "
        "publishTime=1970-01-01T00:00:00.000000Z, deliveryResponse=SocketError, "
        "errorCode=SocketError"
    )
