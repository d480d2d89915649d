"""A webhook that fails for too long, or whose owner says so, is held back and told later."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mesh import notifications, replays, subscriptions, suspensions
from mesh.errors import NotFound, Rejected
from mesh.model.delivery import DeliveryAttempt, longest_schedule
from mesh.model.events import PRODUCT_UPDATED, ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.subscription import PULL, Filter, State, webhook
from mesh.replays import From, Replayed

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
TO_URL = webhook("https://consumer.example/hook")
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
FAILED = DeliveryAttempt(outcome="retry", status=500, reason="500.", duration_s=0.1)


def subscribe(world, route=TO_URL):
    made = subscriptions.subscribe(
        world.backbone, COUNTRIES, subscriber="fleet", route=route, wanted=UPDATES
    )
    return made.subscription.id


def land(world, *names):
    for name in names:
        world.clock.advance(timedelta(minutes=1))
        world.land(f"{PLACE}/{name}.csv", f"code,name,area\nCH,{name},1\n".encode())
        world.deliver()


def state(world, identity):
    return subscriptions.find(world.backbone, COUNTRIES, identity)


def fail_to_the_end(world):
    """Let every attempt fail; returns what `failing` was after each."""
    attempts = len(world.backbone.policy.schedule)
    world.webhooks.answers.extend([FAILED] * attempts)
    land(world, "failing")
    [wants] = subscriptions.of_product(world.backbone, COUNTRIES)
    seen = [state(world, wants.id).failing]
    for _ in range(attempts - 1):
        world.clock.advance(timedelta(hours=30))
        world.deliver()
        seen.append(state(world, wants.id).failing)
    assert not world.webhooks.answers
    return seen


def test_a_failure_to_the_end_of_the_schedule_is_told_on_the_way_and_suspends(countries):
    identity = subscribe(countries)

    assert fail_to_the_end(countries) == [0, 0, 0, 0, 50, 50, 70, 70, 90, 100]

    found = state(countries, identity)
    assert (found.state, found.reason) == (State.SUSPENDED, "500.")
    assert found.suspended_at == countries.clock()
    countries.told()
    land(countries, "held")
    assert countries.told() == []


def test_who_redirects_to_the_end_of_the_schedule_is_suspended_too(countries):
    """Nothing is lost to who has moved, and its owner is told."""
    identity = subscribe(countries)
    refused = replace(FAILED, outcome="refused", status=302, reason="302.")
    countries.webhooks.answers.extend([refused] * len(countries.backbone.policy.schedule))
    land(countries, "failing")
    seen = [state(countries, identity).failing]
    while countries.webhooks.answers:
        countries.clock.advance(timedelta(hours=30))
        countries.deliver()
        seen.append(state(countries, identity).failing)

    assert seen == [0, 0, 0, 0, 50, 50, 70, 70, 90, 100]
    assert state(countries, identity).state is State.SUSPENDED
    delivery = countries.backbone.deliveries.get(COUNTRIES, countries.updates()[0], identity)
    assert [one.outcome for one in delivery.attempts] == ["refused"] * 9 + ["exhausted"]


@pytest.mark.parametrize(("held", "which"), [("replay", [0, 1, 2]), ("last", [2]), ("skip", [])])
def test_what_was_held_is_told_as_asked(countries, held, which):
    identity = subscribe(countries)
    fail_to_the_end(countries)
    land(countries, "second", "third")
    countries.told()

    found, count = suspensions.resume(countries.backbone, COUNTRIES, identity, held=held)
    countries.deliver()

    assert (found.state, found.failing, found.suspended_at) == (State.ACTIVE, 0, None)
    assert count == len(which)
    assert countries.told() == [countries.updates()[at] for at in which]
    land(countries, "next")
    assert countries.told() == countries.updates()[3:]


def test_what_was_delivered_before_is_not_told_when_it_is_resumed(countries):
    identity = subscribe(countries)
    land(countries, "delivered")
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")
    again = suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="Once more.")
    assert again.reason == "It moves."
    land(countries, "held")
    countries.told()

    suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.deliver()

    assert countries.told() == countries.updates()[1:]


def test_a_retry_that_comes_due_while_suspended_is_told_after_the_resumption(countries):
    identity = subscribe(countries)
    countries.webhooks.answers.append(FAILED)
    land(countries, "retried")
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")
    countries.clock.advance(timedelta(minutes=1))
    countries.deliver()
    assert len(countries.told()) == 1

    suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.deliver()

    assert countries.told() == countries.updates()
    delivery = countries.backbone.deliveries.get(COUNTRIES, countries.updates()[0], identity)
    assert [(a.round, a.number, a.outcome) for a in delivery.attempts] == [
        (0, 1, "retry"),
        (1, 1, "delivered"),
    ]


def test_a_resumption_that_crashed_is_done_by_asking_again(countries):
    identity = subscribe(countries)
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")
    land(countries, "held")
    countries.queues.failure = OSError("crash")
    with pytest.raises(OSError, match="crash"):
        suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.queues.failure = None

    suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.deliver()

    assert countries.told() == countries.updates()
    with pytest.raises(Rejected, match="is not suspended"):
        suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")


def test_who_resumes_while_another_does_tells_nothing_twice(countries):
    identity = subscribe(countries)
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")
    land(countries, "held", "too")
    countries.webhooks.answers.extend([FAILED] * 4)

    class Raced:
        """Another resumes it once this one has put it on its way."""

        def __init__(self):
            self.changes = 0

        def __getattr__(self, name):
            return getattr(countries.backbone.subscriptions, name)

        def change(self, *what):
            self.changes += 1
            if self.changes == 2:
                resume(countries.backbone, COUNTRIES, identity, held="replay", command="other")
                countries.deliver()
            return countries.backbone.subscriptions.change(*what)

    resume, raced = suspensions.resume, replace(countries.backbone, subscriptions=Raced())
    resume(raced, COUNTRIES, identity, held="replay", command="this")

    assert state(countries, identity).state is State.ACTIVE
    assert sorted(countries.told()) == countries.updates()


def test_what_a_resumption_left_when_it_crashed_is_held_on(countries):
    identity = subscribe(countries)
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")
    land(countries, "held")
    countries.queues.failure = OSError("crash")
    with pytest.raises(OSError, match="crash"):
        suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.queues.failure = None
    countries.clock.advance(2 * longest_schedule(countries.backbone.policy.schedule))

    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves again.")
    suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.deliver()

    assert countries.told() == countries.updates()


def test_the_last_failure_suspends_though_the_process_died_before(countries):
    identity = subscribe(countries)
    fail_to_the_end(countries)
    active = replace(state(countries, identity), state=State.ACTIVE, suspended_at=None)
    countries.backbone.subscriptions.add(active)
    event = ReceivedEvent.from_cloudevent(countries.events()[-1])
    last = replace(Notification.first(event, identity), attempt=10)

    notifications.notify(countries.backbone, last)
    assert state(countries, identity).state is State.SUSPENDED

    suspensions.resume(countries.backbone, COUNTRIES, identity, held="skip")
    notifications.notify(countries.backbone, last)
    assert state(countries, identity).state is State.ACTIVE


def test_a_success_resets_the_budget(countries):
    identity = subscribe(countries)
    countries.webhooks.answers.extend([FAILED] * 6)
    land(countries, "failing")
    for _ in range(5):
        countries.clock.advance(timedelta(hours=30))
        countries.deliver()
    assert (state(countries, identity).failing, state(countries, identity).reason) == (50, "500.")

    land(countries, "works")

    assert (state(countries, identity).failing, state(countries, identity).reason) == (0, "")


def test_one_that_is_gone_is_asked_before_it_is_told_again(countries):
    identity = subscribe(countries)
    countries.webhooks.answers.append(replace(FAILED, outcome="gone", status=410))
    land(countries, "gone")
    assert state(countries, identity).state is State.GONE
    countries.told()
    countries.webhooks.unwilling.add("https://consumer.example/hook")
    with pytest.raises(Rejected, match="does not want our notifications"):
        suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    with pytest.raises(Rejected, match=f"The receiver of subscription {identity} is gone"):
        suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="x")
    countries.webhooks.unwilling.clear()

    suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.deliver()

    assert countries.told() == countries.updates()


def test_subscribing_again_does_not_resume(countries):
    identity = subscribe(countries)
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")

    assert subscribe(countries) == identity
    assert state(countries, identity).state is State.SUSPENDED


@pytest.mark.parametrize(
    ("start", "which"),
    [
        (lambda _: From(last=2), [1, 2]),
        (lambda _: From(last=9), [0, 1, 2]),
        (lambda events: From(sequence=int(events[1]["sequence"])), [1, 2]),
        (lambda events: From(time=time_of(events[1])), [1, 2]),
        (lambda events: From(time=time_of(events[2]) + timedelta(seconds=1)), []),
        (lambda events: From(event=events[0]["id"]), [0]),
    ],
)
def test_one_subscriber_is_told_again_under_the_same_id(countries, start, which):
    identity = subscribe(countries)
    subscribe(countries, webhook("https://other.example/hook"))
    land(countries, "a", "b", "c")
    before = {
        int(json.loads(request.body)["sequence"]): request.headers["webhook-id"]
        for request in countries.webhooks.requests
        if request.url == "https://consumer.example/hook"
    }
    countries.webhooks.requests.clear()
    events = [event for event in countries.events() if event["type"] == PRODUCT_UPDATED]

    done = replays.replay(countries.backbone, COUNTRIES, identity, start=start(events))
    countries.deliver()

    wanted = [countries.updates()[at] for at in which]
    assert done == Replayed(notifications=len(wanted))
    requests = countries.webhooks.requests
    assert {request.url for request in requests} <= {"https://consumer.example/hook"}
    assert [request.headers["webhook-id"] for request in requests] == [before[n] for n in wanted]
    assert countries.told() == wanted


def time_of(event):
    return datetime.fromisoformat(event["time"])


def test_a_replay_is_retried_as_the_first_telling_was(countries):
    identity = subscribe(countries)
    land(countries, "a")
    countries.told()
    countries.webhooks.answers.append(FAILED)

    for _ in range(2):
        replays.replay(countries.backbone, COUNTRIES, identity, start=From(last=1))
        countries.deliver()
        countries.clock.advance(timedelta(minutes=1))
        countries.deliver()

    assert countries.told() == countries.updates() * 3
    delivery = countries.backbone.deliveries.get(COUNTRIES, countries.updates()[0], identity)
    assert [(a.round, a.number) for a in delivery.attempts] == [(0, 1), (1, 1), (1, 2), (2, 1)]


def test_who_subscribes_again_is_told_again_of_what_it_was_told_again_before(countries):
    identity = subscribe(countries)
    land(countries, "a")
    for _ in range(3):
        replays.replay(countries.backbone, COUNTRIES, identity, start=From(last=1))
        countries.deliver()
        subscriptions.unsubscribe(countries.backbone, COUNTRIES, identity)
        assert subscribe(countries) == identity

    assert countries.told() == countries.updates() * 4


def test_a_long_replay_says_where_to_go_on(countries, monkeypatch):
    monkeypatch.setattr(replays, "MOST_REPLAYED", 2)
    identity = subscribe(countries)
    land(countries, "a", "b", "c")

    first = replays.replay(countries.backbone, COUNTRIES, identity, start=From(sequence=1))
    rest = From(sequence=first.next_sequence)

    assert first == Replayed(notifications=2, next_sequence=countries.updates()[2])
    done = replays.replay(countries.backbone, COUNTRIES, identity, start=rest)
    assert done == Replayed(notifications=1)


def test_what_cannot_be_told_again(countries):
    identity = subscribe(countries)
    pull = subscribe(countries, PULL)
    for act in (
        lambda: suspensions.suspend(countries.backbone, COUNTRIES, pull, reason="x"),
        lambda: suspensions.resume(countries.backbone, COUNTRIES, pull, held="skip"),
        lambda: replays.replay(countries.backbone, COUNTRIES, pull, start=From(last=1)),
    ):
        with pytest.raises(Rejected, match="is pull; only webhooks and destinations are"):
            act()
    with pytest.raises(NotFound, match="has announced no event 'x'"):
        replays.replay(countries.backbone, COUNTRIES, identity, start=From(event="x"))
    with pytest.raises(NotFound, match="There is no subscription 'x'"):
        suspensions.suspend(countries.backbone, COUNTRIES, "x", reason="x")
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="x")
    with pytest.raises(Rejected, match="is suspended: resume it, and it is told"):
        replays.replay(countries.backbone, COUNTRIES, identity, start=From(last=1))
    with pytest.raises(Rejected, match=r"'2026-99-01T00:00:00Z' is no time"):
        From.from_data({"time": "2026-99-01T00:00:00Z"})
