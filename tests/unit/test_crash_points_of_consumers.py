"""As `test_crash_points`, of what consumers and owners ask for, and of what clocks say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest

from mesh import agreements, expectations, replays, subscriptions
from mesh.model.events import PRODUCT_UPDATED
from mesh.model.subscription import Channel, Filter, Route
from mesh.model.subscription_events import own_stream
from mesh.replays import From
from tests.chaos.broker import Waiting
from tests.chaos.effects import Fate, unharmed
from tests.chaos.world import World
from tests.unit.conftest import contract, declaration
from tests.unit.test_crash_points import COUNTRIES, GOOD, PLACE, WEBHOOK, History, Script, essence

UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
IN_ORDER = Route(channel=Channel.PUSH, target=WEBHOOK, ordered=True)
QUEUE = Route(channel=Channel.SERVICE_BUS, target="aviation.servicebus.windows.net/mesh-events")
WHY = {"by": "chaos", "reason": "Because."}
DAILY = {
    "slaProperties": [
        {"property": "frequency", "value": 1, "unit": "d"},
        {"property": "latency", "value": 2, "unit": "h"},
    ]
}


@lru_cache
def prepared(route: Route | None = None, *, files: int = 0) -> World:
    """A product, one subscriber to its updates, and files of which it has been told."""
    world = World()
    with world.running():
        world.onboard(declaration(COUNTRIES), COUNTRIES)
        world.settle()
        if route is not None:
            world.subscribe(COUNTRIES, None, route=route, wanted=UPDATES)
        for number in range(files):
            world.drop(f"{PLACE}/{number}.csv", GOOD)
            world.settle()
    return world


def only(world: World) -> str:
    """The id of the only subscription."""
    [wish] = world.wishes
    return wish


def an_agreement(world: World, fate: Fate) -> None:
    """Asked for, granted, ended, and granted again; its subscribers follow."""
    world.become(prepared(Route(channel=Channel.PUSH, target=WEBHOOK), files=1))
    world.subscribe(COUNTRIES, None, wanted=UPDATES)
    world.call(lambda b: agreements.request(b, COUNTRIES, "aviation", purpose="", by="chaos"), fate)
    world.call(
        lambda b: agreements.approve(b, COUNTRIES, "aviation", **WHY, days=30, command="a"), fate
    )
    world.revoke(COUNTRIES, "aviation", fate)
    world.settle(lambda _: fate)
    world.call(
        lambda b: agreements.approve(b, COUNTRIES, "aviation", **WHY, days=30, command="b"), fate
    )
    world.settle(lambda _: fate)
    found = world.inner.subscriptions.of_product(COUNTRIES)
    assert {(one.channel, one.state) for one in found} == {
        ("push", "suspended"),
        ("pull", "active"),
    }


def an_agreement_that_ends_by_itself(world: World, fate: Fate) -> None:
    world.become(prepared(Route(channel=Channel.PUSH, target=WEBHOOK), files=1))
    world.call(lambda b: agreements.request(b, COUNTRIES, "aviation", purpose="", by="chaos"))
    for days in (351, 15):
        world.at += timedelta(days=days)
        world.call(agreements.check_all, fate)
        world.settle(lambda _: fate)
    [found] = world.inner.subscriptions.of_product(COUNTRIES)
    assert found.state == "barred"
    log = [event["type"] for event in world.inner.registry.events(COUNTRIES, after=3, limit=9)]
    assert log == [f"mesh.agreement.{what}.v1" for what in ("granted", "expiring", "expired")]


def a_replay(world: World, fate: Fate) -> None:
    world.become(prepared(Route(channel=Channel.PUSH, target=WEBHOOK), files=2))
    again(world, fate, From(last=2))


def a_replay_in_order(world: World, fate: Fate) -> None:
    world.become(prepared(IN_ORDER, files=2))
    again(world, fate, From(sequence=1))


def again(world: World, fate: Fate, start: From) -> None:
    identity, before = only(world), len(world.receivers.told)
    ask = lambda b: replays.replay(b, COUNTRIES, identity, start=start, command="one")  # noqa: E731
    world.call(ask, fate)
    world.settle(lambda _: fate)
    told = [json.loads(each.body)["data"]["file"] for each in world.receivers.told[before:]]
    assert list(dict.fromkeys(told)) == ["0.csv", "1.csv"]


def a_rotation(world: World, fate: Fate) -> None:
    """Whatever becomes of the answer, the command makes one secret."""
    world.become(prepared(Route(channel=Channel.PUSH, target=WEBHOOK)))
    identity = only(world)
    ask = lambda b: subscriptions.rotate_secret(b, COUNTRIES, identity, command="one")  # noqa: E731
    world.call(ask, fate)
    assert world.inner.subscriptions.get(COUNTRIES, identity).generation == 2


def order(world: World, fate: Fate) -> None:
    """The first of two events fails once, and the other waits for it."""
    world.become(prepared(IN_ORDER))
    answers = iter(["500"])
    world.receivers.moods[WEBHOOK] = lambda: next(answers, "204")
    for number in range(2):
        world.drop(f"{PLACE}/{number}.csv", GOOD)
    world.settle(of_notifications(fate))


def of_notifications(fate: Fate, *attempts: int) -> Callable[[Waiting], Fate]:
    """The fate of those who make these attempts, or any; `test_crash_points` has the others."""

    def of(message: Waiting) -> Fate:
        number = json.loads(message.body).get("attempt")
        return fate if number is not None and number in (attempts or {number}) else unharmed

    return of


def a_receiver_that_fails_to_the_end(world: World, fate: Fate) -> None:
    """Its owner is told of each share of the budget, and that it is suspended; once each."""
    world.become(prepared(Route(channel=Channel.PUSH, target=WEBHOOK)))
    world.receivers.moods[WEBHOOK] = lambda: "500"
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle(of_notifications(fate, 5, 10))
    stream = world.inner.registry.events(own_stream("aviation"), after=0, limit=9)
    assert [event["data"]["failing"] for event in stream] == [50, 70, 90, 100]


def a_queue(world: World, fate: Fate) -> None:
    """A destination, which its subscriber has to prove to be its own."""
    world.become(prepared())
    world.subscribe(COUNTRIES, None, route=QUEUE, wanted=UPDATES, fate=fate)
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle()


def silence(world: World, fate: Fate) -> None:
    """Late, missed, and recovered by a file that comes after all."""
    world.become(expected_daily())
    for hours in (27, 24):
        world.at += timedelta(hours=hours)
        world.call(lambda b: expectations.check(b, COUNTRIES), fate)
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle()
    world.call(lambda b: expectations.check(b, COUNTRIES), fate)
    log = world.inner.registry.events(COUNTRIES, after=0, limit=20)
    kinds = [event["type"].split(".")[2] for event in log if "product." in event["type"]]
    assert kinds[1:] == ["late", "missed", "late", "updated", "recovered"]


@lru_cache
def expected_daily() -> World:
    world = World()
    with world.running():
        world.onboard(declaration(COUNTRIES, contract(more=DAILY)), COUNTRIES)
        world.settle()
    return world


HISTORIES: list[History] = [
    an_agreement,
    an_agreement_that_ends_by_itself,
    a_replay,
    a_replay_in_order,
    a_rotation,
    order,
    a_receiver_that_fails_to_the_end,
    a_queue,
    silence,
]


def lived(history: History, fate: Fate) -> dict[str, Any]:
    world = World()
    with world.running():
        history(world, fate)
        world.rest()
    assert world.broker.dead == []
    return essence(world)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
@pytest.mark.parametrize("what", ["kill", "fail", "twice"])
def test_something_happens_at_every_effect_in_turn(history: History, what: str) -> None:
    calmly = Script()
    expected = lived(history, calmly)
    chances = calmly.chances(what)
    assert chances

    for at in chances:
        told = f"{what} {calmly.passed[at - 1]} (effect {at} of {len(calmly.passed)})"
        try:
            came = lived(history, Script(at=at, what=what))
        except AssertionError as wrong:
            raise AssertionError(told) from wrong
        assert came == expected, told
