"""A subscription that asks for order is told of one event after the other, whatever happens."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from mesh import fan_out, notifications, replays, subscriptions, suspensions
from mesh.errors import Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import PRODUCT_UPDATED, ReceivedEvent
from mesh.model.lanes import QUICK, SLOW
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.subscription import PULL, Channel, Filter, Route, State, route_from_data
from mesh.replays import From, Replayed

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
URL = "https://consumer.example/hook"
IN_ORDER = Route(channel=Channel.PUSH, target=URL, ordered=True)
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
FAILED = DeliveryAttempt(outcome="retry", status=500, reason="500.", duration_s=0.1)
REFUSED = DeliveryAttempt(outcome="refused", status=302, reason="302.", duration_s=0.1)


def subscribe(world, route=IN_ORDER, wanted=UPDATES):
    made = subscriptions.subscribe(
        world.backbone, COUNTRIES, subscriber="fleet", route=route, wanted=wanted
    )
    return made.subscription.id


def land(world, count, start=0):
    """So many updates; they are not fanned out yet."""
    for number in range(start, start + count):
        world.clock.advance(timedelta(minutes=1))
        world.land(f"{PLACE}/{number}.csv", f"code,name,area\nCH,n{number},1\n".encode())


def fan_out_shuffled(world, chance):
    """Event Grid keeps no order."""
    published = list(world.topic.published)
    chance.shuffle(published)
    for envelope in published:
        fan_out.fan_out(world.backbone, ReceivedEvent.from_cloudevent(envelope))


def work(world, chance):
    """Make all attempts, in any order, those that wait for a schedule too."""
    while waiting := [
        (lane, message) for lane in (QUICK, SLOW) for message in world.queues.take(lane)
    ]:
        chance.shuffle(waiting)
        for lane, message in waiting:
            due = message.due or world.clock()
            world.clock.advance(max(due - world.clock(), timedelta(0)))
            told_of = Notification.from_data(message.body)
            notifications.notify(world.backbone, told_of, lane=lane)


@pytest.mark.parametrize("seed", range(20))
def test_in_order_whatever_the_brokers_and_the_receiver_do(countries, seed):
    chance = random.Random(seed)
    subscribe(countries)
    land(countries, 6)
    countries.webhooks.answers.extend([FAILED] * chance.randint(0, 8))

    fan_out_shuffled(countries, chance)
    work(countries, chance)

    seen = countries.told()
    assert sorted(set(seen)) == list(dict.fromkeys(seen)) == countries.updates()
    assert seen == sorted(seen)


def test_without_asking_for_it_nothing_waits(countries):
    subscribe(countries, Route(channel=Channel.PUSH, target=URL))
    land(countries, 3)
    countries.webhooks.answers.append(FAILED)

    countries.deliver()

    assert countries.told() == countries.updates()


def test_who_redirects_for_a_while_misses_nothing(countries):
    subscribe(countries)
    countries.webhooks.answers.append(REFUSED)
    land(countries, 3)

    countries.deliver()
    countries.clock.advance(timedelta(minutes=1))
    countries.deliver()

    first, *others = countries.updates()
    assert countries.told() == [first, first, *others]


def test_a_failure_to_the_end_holds_the_rest_until_it_is_resumed(countries):
    identity = subscribe(countries)
    countries.webhooks.answers.extend([FAILED] * len(countries.backbone.policy.schedule))
    land(countries, 3)
    for _ in countries.backbone.policy.schedule:
        countries.deliver()
        countries.clock.advance(timedelta(hours=29))
    first, *_ = countries.updates()
    assert set(countries.told()) == {first}
    found = subscriptions.find(countries.backbone, COUNTRIES, identity)
    assert found.state is State.SUSPENDED

    with pytest.raises(Rejected, match="asks for order: replay all that was held, or skip it"):
        suspensions.resume(countries.backbone, COUNTRIES, identity, held="last")
    _, count = suspensions.resume(countries.backbone, COUNTRIES, identity, held="replay")
    countries.deliver()

    assert (count, countries.told()) == (3, countries.updates())


def test_what_comes_meanwhile_puts_nothing_beside_the_attempt_that_waits(countries):
    subscribe(countries)
    countries.webhooks.answers.extend([FAILED] * 4)
    land(countries, 1)
    for pause in (0, 6, 360, 36 * 60):  # the first four attempts
        countries.clock.advance(timedelta(seconds=pause))
        countries.deliver()
    assert len(countries.told()) == 4

    for number in range(1, 8):
        countries.clock.advance(timedelta(minutes=11))
        countries.queues.forget()
        land(countries, 1, start=number)
        countries.deliver()
        assert [message.body["attempt"] for message in waiting(countries)] == [5]
    countries.clock.advance(timedelta(hours=1))
    countries.deliver()

    assert countries.told() == countries.updates()


def test_an_attempt_that_was_lost_is_made_when_the_next_event_comes(countries):
    subscribe(countries)
    countries.webhooks.answers.append(FAILED)
    land(countries, 1)
    countries.deliver()
    for lane in (QUICK, SLOW):
        countries.queues.take(lane)
    countries.queues.forget()

    land(countries, 1, start=1)
    countries.deliver()

    assert countries.told() == [countries.updates()[0], *countries.updates()]


def waiting(world):
    return [message for lane in (QUICK, SLOW) for message in world.queues.waiting(lane)]


def test_what_was_held_can_be_skipped(countries):
    identity = subscribe(countries)
    suspensions.suspend(countries.backbone, COUNTRIES, identity, reason="It moves.")
    land(countries, 2)
    countries.deliver()

    suspensions.resume(countries.backbone, COUNTRIES, identity, held="skip")
    land(countries, 1, start=2)
    countries.deliver()

    assert countries.told() == countries.updates()[2:]


@pytest.mark.parametrize("start", [From(last=2), From(sequence=4)], ids=["last", "sequence"])
def test_a_replay_is_in_order_too(countries, start):
    identity = subscribe(countries)
    land(countries, 3)
    countries.deliver()
    countries.told()
    assert countries.updates() == [3, 4, 5]
    countries.webhooks.answers.append(FAILED)

    done = replays.replay(countries.backbone, COUNTRIES, identity, start=start)
    land(countries, 1, start=3)
    countries.deliver()
    countries.clock.advance(timedelta(seconds=10))
    countries.deliver()

    assert done == Replayed(notifications=2)
    assert countries.told() == [4, 4, 5, 6]


def test_one_event_by_itself_is_told_again_at_once(countries):
    identity = subscribe(countries)
    land(countries, 3)
    countries.deliver()
    countries.told()
    [first, *_] = [event for event in countries.events() if event["type"] == PRODUCT_UPDATED]

    replays.replay(countries.backbone, COUNTRIES, identity, start=From(event=first["id"]))
    countries.deliver()

    assert countries.told() == [3]
    land(countries, 1, start=3)
    countries.deliver()
    assert countries.told() == [6]


def test_a_replay_while_another_waits_for_its_retry_stops_nothing(countries):
    identity = subscribe(countries)
    land(countries, 2)
    countries.webhooks.answers.append(FAILED)
    countries.deliver()
    [first, *_] = [event for event in countries.events() if event["type"] == PRODUCT_UPDATED]

    replays.replay(countries.backbone, COUNTRIES, identity, start=From(event=first["id"]))
    countries.clock.advance(timedelta(minutes=1))
    countries.deliver()

    assert list(dict.fromkeys(countries.told())) == countries.updates()


def test_a_worker_that_died_before_it_called_the_next_is_followed_up(countries):
    identity = subscribe(countries)
    land(countries, 2)
    first, second = [
        Notification.first(ReceivedEvent.from_cloudevent(event), identity)
        for event in countries.events()
        if event["type"] == PRODUCT_UPDATED
    ]
    countries.queues.failure = ConnectionError("killed between the record and the call")
    with pytest.raises(ConnectionError):
        notifications.notify(countries.backbone, first)
    countries.queues.failure = None

    notifications.notify(countries.backbone, first)

    [called] = countries.queues.waiting(QUICK)
    assert called.body["event"]["id"] == second.event.id
    assert countries.told() == [first.event.sequence]


def test_who_unsubscribes_meanwhile_is_not_missed(countries):
    identity = subscribe(countries)
    land(countries, 2)
    inner = countries.webhooks.deliver

    def leave(**given):
        subscriptions.unsubscribe(countries.backbone, COUNTRIES, identity)
        return inner(**given)

    countries.webhooks.deliver = leave
    countries.deliver()

    assert countries.told() == countries.updates()[:1]


def test_a_broker_keeps_no_order():
    with pytest.raises(Rejected, match="The mesh cannot promise an order to who is told by pull"):
        route_from_data({"ordered": True})
    assert not PULL.ordered
