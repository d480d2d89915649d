"""Deliveries to webhooks: form, retries on the published schedule, patience and isolation."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Self

import pytest
from aiohttp import web

from local.event_grid import EventGrid, ManualClock, Topology
from local.event_grid.destinations.webhook import WebHookDeliverer
from local.event_grid.retry import (
    DAY,
    SCHEDULE,
)
from tests.local.event_grid.building import (
    CLOUD,
    OWN,
    cloud_event,
    own_event,
    subscription,
    topology,
    webhook,
)
from tests.local.event_grid.receivers import Received, Webhook

pytestmark = pytest.mark.asyncio

MINUTE, HOUR = 60.0, 3600.0


def answering(status: int) -> Callable[[Received], web.Response]:
    return lambda _: web.Response(status=status)


def to(hook: Webhook, **members: Any) -> Topology:
    return topology(subscription(webhook(hook.url), eventDeliverySchema=CLOUD, **members))


class Story:
    """A grid on a clock that stands still, with one webhook that has agreed."""

    def __init__(self, definition: Topology) -> None:
        self.clock = ManualClock()
        self.began = self.clock.now()
        self.grid = EventGrid(topology=definition, clock=self.clock, spread=lambda delay: delay)

    async def __aenter__(self) -> Self:
        await self.grid.start()
        await self.clock.settled()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.grid.stop()

    @property
    def counts(self) -> Any:
        return self.grid.pumps("orders")["sub"].counts


async def moments(hook: Webhook, story: Story, event: dict[str, Any]) -> list[float]:
    """Publish, let two days pass, and return when the attempts were made."""
    found: list[float] = []
    answer = hook.answer

    def note(received: Received) -> web.Response | None:
        found.append(story.clock.now() - story.began)
        return answer(received)

    hook.answer = note
    story.grid.publish("orders", [event])
    await story.clock.advance(2 * DAY)
    return found


async def test_a_day_of_retries_follows_the_published_schedule(hook: Webhook) -> None:
    hook.answer = answering(500)
    async with Story(to(hook)) as story:
        found = await moments(hook, story, cloud_event())
        assert (story.counts.dropped, story.counts.failed_attempts) == (1, len(found))
    steps = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert [*SCHEDULE][: len(steps)] == steps
    assert steps == [
        *(10, 30, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE),
        *(HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR),
    ]
    counts = [received.headers["aeg-delivery-count"] for received in hook.notifications]
    assert counts == [str(n) for n in range(11)]


async def test_the_number_of_attempts_can_end_it(hook: Webhook) -> None:
    hook.answer = answering(500)
    async with Story(to(hook, retryPolicy={"maxDeliveryAttempts": 3})) as story:
        assert await moments(hook, story, cloud_event()) == [0, 10, 40]


async def test_time_to_live_is_looked_at_when_the_next_attempt_is_due(hook: Webhook) -> None:
    hook.answer = answering(500)
    async with Story(to(hook, retryPolicy={"eventTimeToLiveInMinutes": 5})) as story:
        assert await moments(hook, story, cloud_event()) == [0, 10, 40, 100]
        assert story.counts.dropped == 1


@pytest.mark.parametrize("status", [400, 401, 403, 413])
async def test_some_answers_are_final(hook: Webhook, status: int) -> None:
    hook.answer = answering(status)
    async with Story(to(hook)) as story:
        assert await moments(hook, story, cloud_event()) == [0]
        assert story.counts.dropped == 1


@pytest.mark.parametrize(
    ("status", "wait"),
    [(404, 300), (408, 120), (503, 30), (500, 10), (301, 10), (205, 10), (429, 10), (599, 10)],
)
async def test_others_wait_at_least_as_long_as_published(
    hook: Webhook, status: int, wait: float
) -> None:
    hook.answer = answering(status)
    async with Story(to(hook, retryPolicy={"maxDeliveryAttempts": 2})) as story:
        assert await moments(hook, story, cloud_event()) == [0, wait]


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
async def test_success_is_200_to_204(hook: Webhook, status: int) -> None:
    hook.answer = answering(status)
    async with Story(to(hook)) as story:
        assert await moments(hook, story, cloud_event()) == [0]
        assert (story.counts.delivered, story.grid.pumps("orders")["sub"].pending) == (1, 0)


async def test_an_endpoint_that_recovers_gets_the_same_event(hook: Webhook) -> None:
    answers = iter([503, 500, 200])
    hook.answer = lambda _: web.Response(status=next(answers))
    async with Story(to(hook)) as story:
        assert await moments(hook, story, cloud_event()) == [0, 30, 60]
    assert len({received.body for received in hook.notifications}) == 1


async def test_nobody_listening_is_a_failure_like_others() -> None:
    async with Webhook() as hook:
        story = Story(to(hook))
        await story.grid.start()
        await story.clock.settled()
    story.grid.publish("orders", [cloud_event()])
    await story.clock.settled()
    assert story.counts.failed_attempts == 1
    assert story.counts.last_error.startswith("SocketError: ")
    await story.grid.stop()


async def test_headers_of_a_notification(hook: Webhook) -> None:
    attributes = [
        {"name": "Channel", "type": "Dynamic", "properties": {"sourceField": "data.channel"}},
        {"name": "Absent", "type": "Dynamic", "properties": {"sourceField": "data.none"}},
        {"name": "Fixed", "type": "Static", "properties": {"value": "v", "isSecret": True}},
    ]
    destination = webhook(hook.url, deliveryAttributeMappings=attributes)
    definition = topology(subscription(destination, "My-Sub"), schema=OWN)
    event = own_event(data={"channel": 7})
    async with EventGrid(topology=definition) as grid:
        grid.publish("orders", [event])
        (received,) = await hook.got(1)
    expected = {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": "MY-SUB",
        "aeg-delivery-count": "0",
        "aeg-data-version": "1.0",
        "aeg-metadata-version": "1",
        "aeg-output-event-id": event["id"],
        "content-type": "application/json; charset=utf-8",
        "channel": "7",
        "fixed": "v",
    }
    assert expected.items() <= received.headers.items()
    assert "absent" not in received.headers


async def test_batches_stay_within_number_and_size(hook: Webhook) -> None:
    hook.gate = asyncio.Event()
    destination = webhook(hook.url, maxEventsPerBatch=3, preferredBatchSizeInKilobytes=1)
    definition = topology(subscription(destination, eventDeliverySchema=CLOUD))
    small = [cloud_event(data="x") for _ in range(100)]
    large = [cloud_event(data="x" * 900) for _ in range(3)]
    async with EventGrid(topology=definition) as grid:
        grid.publish("orders", small + large)
        hook.gate.set()
        async with asyncio.timeout(20):
            while sum(len(each.json) for each in hook.notifications) < 103:
                await hook.got(len(hook.notifications) + 1)
    sizes = [len(each.json) for each in hook.notifications]
    assert max(sizes) == 3
    found = sorted(event["id"] for each in hook.notifications for event in each.json)
    assert found == sorted(event["id"] for event in small + large)
    for each in hook.notifications:
        assert len(each.body) <= 1024 + 100 or len(each.json) == 1
        assert each.headers["content-type"] == "application/cloudevents-batch+json; charset=utf-8"


async def test_a_stuck_endpoint_delays_no_other(hook: Webhook) -> None:
    hook.gate = asyncio.Event()
    async with Webhook() as quick:
        definition = topology(
            subscription(webhook(hook.url), "stuck", eventDeliverySchema=CLOUD),
            subscription(webhook(quick.url), "quick", eventDeliverySchema=CLOUD),
        )
        async with EventGrid(topology=definition) as grid:
            grid.publish("orders", [cloud_event() for _ in range(200)])
            await quick.got(200)
            assert len(hook.notifications) <= 16
            hook.gate.set()
            await hook.got(200)


async def test_only_matching_events_are_delivered(hook: Webhook) -> None:
    wanted = {"includedEventTypes": ["order.placed"], "subjectBeginsWith": "orders/a"}
    async with Story(to(hook, filter=wanted)) as story:
        story.grid.publish(
            "orders",
            [
                cloud_event(subject="orders/a1"),
                cloud_event(subject="orders/b1"),
                cloud_event(subject="orders/a2", type="order.paid"),
            ],
        )
        await story.clock.settled()
        assert [received.json["subject"] for received in hook.notifications] == ["orders/a1"]
        assert story.counts.matched == 1


async def test_a_delivery_that_breaks_is_a_failed_attempt(
    hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        message = "a bug"
        raise RuntimeError(message)

    async with Story(to(hook)) as story:
        with monkeypatch.context() as patch:
            patch.setattr(WebHookDeliverer, "_groups", broken)
            story.grid.publish("orders", [cloud_event()])
            await story.clock.settled()
        assert story.counts.last_error == "Aborted: RuntimeError('a bug')"
        await story.clock.advance(10)
        assert (story.counts.delivered, len(hook.notifications)) == (1, 1)
