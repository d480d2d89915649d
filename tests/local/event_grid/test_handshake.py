"""Webhooks get nothing before they have agreed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from local.event_grid import EventGrid, ManualClock, Topology
from tests.local.event_grid.building import (
    CLOUD,
    OWN,
    cloud_event,
    own_event,
    subscription,
    topology,
    webhook,
)
from tests.local.event_grid.receivers import Webhook

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def to(hook: Webhook, schema: str) -> Topology:
    return topology(
        subscription(webhook(hook.url), eventDeliverySchema=schema),
        schema=schema,
    )


async def test_cloud_events_ask_with_options(hook: Webhook) -> None:
    async with EventGrid(topology=to(hook, CLOUD)) as grid:
        grid.publish("orders", [cloud_event()])
        await hook.got(1)
    (asked,) = hook.handshakes
    assert (asked.method, asked.path) == ("OPTIONS", "/hook")
    assert asked.headers["webhook-request-origin"] == "eventgrid.azure.net"
    assert hook.notifications[0].headers["origin"] == "eventgrid.azure.net"


async def test_event_grid_schema_asks_with_a_validation_event(hook: Webhook) -> None:
    async with EventGrid(topology=to(hook, OWN)) as grid:
        grid.publish("orders", [own_event()])
        await hook.got(1)
    (asked,) = hook.handshakes
    (event,) = asked.json
    assert asked.headers["aeg-event-type"] == "SubscriptionValidation"
    assert event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert set(event["data"]) == {"validationCode", "validationUrl"}


async def test_events_wait_for_an_endpoint_that_agrees_later(hook: Webhook) -> None:
    hook.agrees = False
    clock = ManualClock()
    async with EventGrid(topology=to(hook, CLOUD), clock=clock) as grid:
        grid.publish("orders", [cloud_event(), cloud_event()])
        await clock.advance(12)
        assert (len(hook.handshakes), hook.notifications) == (3, [])
        hook.agrees = True
        await clock.advance(5)
        assert len(hook.notifications) == 2


async def test_calling_the_validation_url_agrees_too(
    hook: Webhook, http: aiohttp.ClientSession
) -> None:
    hook.agrees = False
    async with EventGrid(topology=to(hook, OWN)) as grid:
        grid.publish("orders", [own_event()])
        (asked,) = await hook.asked(1)
        url = asked.json[0]["data"]["validationUrl"]
        async with http.get(url[:-1]) as answer:
            assert answer.status == 404
        async with http.get(url) as answer:
            assert answer.status == 200
        await hook.got(1)
        async with http.get(url) as answer:
            assert answer.status == 404


async def test_an_agreement_is_remembered_over_a_restart(hook: Webhook, tmp_path: Path) -> None:
    for _ in range(2):
        async with EventGrid(topology=to(hook, CLOUD), state=tmp_path) as grid:
            grid.publish("orders", [cloud_event()])
            await hook.got(len(hook.notifications) + 1)
    assert len(hook.handshakes) == 1


class Management:
    """The management API of a grid, over HTTP."""

    def __init__(self, grid: EventGrid, http: aiohttp.ClientSession) -> None:
        self._base, self._http = f"{grid.url}/management/topics", http

    async def call(self, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
        async with self._http.request(method, self._base + path, json=body) as answer:
            return answer.status, await answer.json() if await answer.read() else None


SUB = "/orders/eventSubscriptions/late"


async def test_a_subscription_lives_at_run_time(
    hook: Webhook, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    declared = {"properties": {"destination": webhook(hook.url), "eventDeliverySchema": CLOUD}}
    async with EventGrid(topology=topology(), state=tmp_path) as grid:
        api = Management(grid, http)
        grid.publish("orders", [cloud_event()])  # nobody is there yet
        status, shown = await api.call("PUT", SUB, declared)
        assert (status, shown["provisioningState"]) == (201, "Succeeded")
        assert (await api.call("PUT", SUB, declared))[0] == 200
        grid.publish("orders", [cloud_event(id="first")])
        await hook.got(1)
        status, listed = await api.call("GET", "/ORDERS/eventSubscriptions")
        assert [each["name"] for each in listed["value"]] == ["late"]
    async with EventGrid(topology=topology(), state=tmp_path) as grid:
        api = Management(grid, http)
        grid.publish("orders", [cloud_event(id="second")])
        await hook.got(2)
        assert (await api.call("DELETE", SUB))[0] == 204
        assert (await api.call("DELETE", SUB))[0] == 404
        grid.publish("orders", [cloud_event(id="third")])
    async with EventGrid(topology=topology(), state=tmp_path) as grid:
        assert (await Management(grid, http).call("GET", SUB))[0] == 404
    assert [each.json["id"] for each in hook.notifications] == ["first", "second"]


async def test_an_endpoint_that_does_not_agree_is_not_subscribed(
    hook: Webhook, http: aiohttp.ClientSession
) -> None:
    hook.agrees = False
    declared = {"destination": webhook(hook.url), "eventDeliverySchema": CLOUD}
    async with EventGrid(topology=topology()) as grid:
        api = Management(grid, http)
        status, error = await api.call("PUT", SUB, declared)
        assert (status, error["error"]["code"]) == (400, "Url validation")
        assert error["error"]["message"] == (
            f"Webhook validation handshake failed for {hook.url}: it answered the OPTIONS request "
            "with 200 and WebHook-Allowed-Origin '' instead of 'eventgrid.azure.net' or '*'."
        )
        assert (await api.call("GET", SUB))[0] == 404


async def test_an_endpoint_that_refuses_the_validation_event_is_not_subscribed(
    hook: Webhook, http: aiohttp.ClientSession
) -> None:
    hook.answer = lambda _: web.Response(status=202)
    async with EventGrid(topology=topology(schema=OWN)) as grid:
        status, error = await Management(grid, http).call(
            "PUT", SUB, {"destination": webhook(hook.url)}
        )
    assert status == 400
    assert "it answered the validation event with 202, not 200." in error["error"]["message"]


async def test_a_new_subscription_may_agree_by_hand_within_ten_minutes(
    hook: Webhook, http: aiohttp.ClientSession
) -> None:
    hook.agrees = False
    clock = ManualClock()
    async with EventGrid(topology=topology(schema=OWN), clock=clock) as grid:
        api = Management(grid, http)
        for late in (False, True):
            _, shown = await api.call("PUT", SUB, {"destination": webhook(hook.url)})
            assert shown["provisioningState"] == "AwaitingManualAction"
            await clock.advance(601 if late else 599)
            async with http.get(hook.handshakes[-1].json[0]["data"]["validationUrl"]) as answer:
                assert answer.status == (404 if late else 200)
            _, shown = await api.call("GET", SUB)
            assert shown["provisioningState"] == ("Failed" if late else "Succeeded")
            await api.call("DELETE", SUB)


async def test_what_is_wrong_with_a_declaration_is_said(http: aiohttp.ClientSession) -> None:
    bus = {"endpointType": "ServiceBusQueue", "properties": {"queueName": "q"}}
    async with EventGrid(topology=topology()) as grid:
        api = Management(grid, http)
        for body, message in (
            ([], "The body must be an object."),
            ({}, "destination is missing. It must be an object."),
            ({"destination": bus, "eventDeliverySchema": OWN}, "eventDeliverySchema is 'Event"),
            ({"destination": bus}, "The event subscription 'late' delivers to Service Bus: give"),
        ):
            status, error = await api.call("PUT", SUB, body)
            assert (status, error["error"]["code"]) == (400, "InvalidRequest")
            assert error["error"]["message"].startswith(message)
        assert (await api.call("GET", "/nothing/eventSubscriptions"))[0] == 404


async def test_the_state_of_deliveries_can_be_read(
    hook: Webhook, http: aiohttp.ClientSession
) -> None:
    hook.answer = lambda _: web.Response(status=500)
    clock = ManualClock()
    async with EventGrid(topology=to(hook, CLOUD), clock=clock, spread=lambda d: d) as grid:
        api = Management(grid, http)
        grid.publish("orders", [cloud_event(id="e", subject="s")])
        await clock.advance(0)
        _, topics = await api.call("GET")
        assert topics["value"][0]["endpoint"] == grid.endpoint("orders")
        _, shown = await api.call("GET", "/orders/eventSubscriptions/sub")
        assert shown["counts"] == {
            "matched": 1,
            "delivered": 0,
            "failed_attempts": 1,
            "dead_lettered": 0,
            "dropped": 0,
            "last_error": "InternalServerError: Internal Server Error",
        }
        assert shown["pending"] == 1
        _, pending = await api.call("GET", "/orders/eventSubscriptions/sub/deliveries")
        assert pending["value"] == [
            {
                "eventId": "e",
                "eventType": "order.placed",
                "subject": "s",
                "publishTime": "2026-01-01T00:00:00.000000Z",
                "deliveryAttempts": 1,
                "lastDeliveryOutcome": "InternalServerError",
                "nextStepTime": "2026-01-01T00:00:10.000000Z",
                "deadLetterReason": None,
            }
        ]


async def test_replacing_a_subscription_loses_nothing(
    hook: Webhook, http: aiohttp.ClientSession
) -> None:
    hook.gate = asyncio.Event()  # the first endpoint never answers
    async with Webhook() as other, EventGrid(topology=topology()) as grid:
        api = Management(grid, http)
        await api.call("PUT", SUB, {"destination": webhook(hook.url), "eventDeliverySchema": CLOUD})
        sent = [cloud_event() for _ in range(40)]
        grid.publish("orders", sent[:20])
        await hook.got(16)
        replacing = asyncio.create_task(
            api.call("PUT", SUB, {"destination": webhook(other.url), "eventDeliverySchema": CLOUD})
        )
        for event in sent[20:]:
            grid.publish("orders", [event])
            await asyncio.sleep(0)
        assert (await replacing)[0] == 200
        received = await other.got(40)
        hook.gate.set()
    assert {each.json["id"] for each in received} == {event["id"] for event in sent}


async def test_a_replacement_may_agree_by_hand_too(
    hook: Webhook, http: aiohttp.ClientSession
) -> None:
    async with EventGrid(topology=topology(schema=OWN)) as grid:
        api = Management(grid, http)
        await api.call("PUT", SUB, {"destination": webhook(hook.url)})
        hook.agrees = False
        _, shown = await api.call("PUT", SUB, {"destination": webhook(hook.url + "/other")})
        assert shown["provisioningState"] == "AwaitingManualAction"
        async with http.get(hook.handshakes[-1].json[0]["data"]["validationUrl"]) as answer:
            assert answer.status == 200
        grid.publish("orders", [own_event()])
        (received,) = await hook.got(1)
    assert received.path == "/hook/other"
