"""A slow subscriber delays only those that are slow as well: shown by order, not by time."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from itertools import islice

import pytest

from mesh import fan_out, lanes, notifications, replays, subscriptions, suspensions
from mesh.errors import TooMany
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import PRODUCT_UPDATED, ReceivedEvent
from mesh.model.lanes import QUICK, SLOW, paced
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.subscription import Channel, Filter, Route, webhook
from mesh.replays import From
from tests.ports import nouns

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
HEALTHY = "https://healthy.example/hook"
HANGING = [f"https://hangs-{number}.example/hook" for number in range(8)]
SLOTS = 8
"""`maxConcurrentCalls` of host.json."""


def subscribe(world, url):
    made = subscriptions.subscribe(
        world.backbone, COUNTRIES, subscriber="fleet", route=webhook(url), wanted=UPDATES
    )
    return made.subscription.id


def land(world, count):
    for number in range(count):
        world.land(f"{PLACE}/{number}.csv", f"code,name,area\nCH,n{number},1\n".encode())


class Receivers:
    """The healthy one answers, the others use up their limit, which is told as a duration."""

    def __init__(self):
        self.attempts = Counter()
        self.order = []
        self._lock = threading.Lock()

    def verify(self, url):  # noqa: ARG002 - whoever it is
        """All of them want to be told."""
        return 0.01

    def deliver(self, *, url, limit, **_):
        with self._lock:
            self.attempts[url] += 1
            self.order.append(url)
        if url == HEALTHY:
            return DeliveryAttempt(outcome="delivered", status=200, reason="200.", duration_s=0.01)
        return DeliveryAttempt(
            outcome="retry", status=None, reason="no answer", duration_s=limit.total_seconds()
        )


@pytest.fixture
def hanging(countries):
    receivers = Receivers()
    countries.backbone = replace(countries.backbone, webhooks=receivers)
    for url in (*HANGING, HEALTHY):
        subscribe(countries, url)
    return receivers


def work_through(world, lane):
    """All that waits in a lane, with as many workers as an instance has."""
    with ThreadPoolExecutor(SLOTS) as workers:
        while messages := world.queues.take(lane):
            told = [Notification.from_data(message.body) for message in messages]
            list(
                workers.map(lambda one: notifications.notify(world.backbone, one, lane=lane), told)
            )


def fan_out_all(world):
    for envelope in world.topic.published:
        fan_out.fan_out(world.backbone, ReceivedEvent.from_cloudevent(envelope))
    world.topic.published.clear()


def test_eight_that_hang_take_a_place_in_the_quick_lane_once(countries, hanging):
    land(countries, 1)
    fan_out_all(countries)
    work_through(countries, QUICK)
    assert all(hanging.attempts[url] == 1 for url in (*HANGING, HEALTHY))
    hanging.order.clear()

    land(countries, 21)
    fan_out_all(countries)
    work_through(countries, QUICK)

    # All that the healthy one is owed came before any further attempt at one that hangs.
    assert hanging.order == [HEALTHY] * 21
    in_the_slow_lane = countries.queues.waiting(SLOW)
    assert len(in_the_slow_lane) == 8 * 22  # the retries, and the new ones


def test_what_waits_already_leaves_the_quick_lane_without_an_attempt(countries, hanging):
    """A backlog of one that hangs costs one attempt per place, not one per notification."""
    land(countries, 20)
    fan_out_all(countries)

    work_through(countries, QUICK)

    places = countries.backbone.policy.at_once
    assert hanging.attempts[HEALTHY] == 20
    assert all(hanging.attempts[url] <= places for url in HANGING)


def test_one_subscriber_does_not_take_all_places(countries, monkeypatch):
    monkeypatch.setattr(lanes, "WAIT_S", {QUICK: 0, SLOW: 0})
    identity = subscribe(countries, HEALTHY)
    land(countries, SLOTS)
    inside, go_on = threading.Semaphore(0), threading.Event()
    inner = countries.webhooks.deliver

    def hang(**given):
        inside.release()
        assert go_on.wait(30)
        return inner(**given)

    countries.webhooks.deliver = hang
    fan_out_all(countries)
    told = [Notification.from_data(message.body) for message in countries.queues.take(QUICK)]
    at_once = countries.backbone.policy.at_once
    with ThreadPoolExecutor(SLOTS) as workers:
        done = [
            workers.submit(notifications.notify, countries.backbone, one, lane=QUICK)
            for one in told
        ]
        for _ in range(at_once):
            assert inside.acquire(timeout=30)
        # Those without a place are done before any of those with one goes on.
        without = [one.result() for one in islice(as_completed(done, timeout=30), SLOTS - at_once)]
        assert not inside.acquire(blocking=False)
        go_on.set()

    assert without == [None] * (SLOTS - at_once)
    assert len(countries.webhooks.requests) == at_once
    moved = countries.queues.waiting(SLOW)
    assert {message.body["moved"] for message in moved} == {1}
    assert all(message.due is None for message in moved)
    assert identity in {message.body["subscription"] for message in moved}


def test_who_finds_no_place_in_the_slow_lane_comes_again_later_and_later(countries, monkeypatch):
    monkeypatch.setattr(lanes, "WAIT_S", {QUICK: 0, SLOW: 0})
    identity = subscribe(countries, HEALTHY)
    land(countries, 1)
    fan_out_all(countries)
    [message] = countries.queues.take(QUICK)
    told, pauses = Notification.from_data(message.body), []
    with lanes.place(SLOW, identity, at_once=1) as is_free:
        assert is_free
        countries.backbone = replace(
            countries.backbone, policy=replace(countries.backbone.policy, at_once=1)
        )
        for _ in range(8):
            assert notifications.notify(countries.backbone, told, lane=SLOW) is None
            [again] = countries.queues.take(SLOW)
            pauses.append((again.due - countries.clock()).total_seconds())
            told = Notification.from_data(again.body)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert notifications.notify(countries.backbone, told, lane=SLOW).outcome == "delivered"


def test_replays_do_not_stand_before_what_happens_now(countries):
    identity = subscribe(countries, HEALTHY)
    land(countries, 3)
    countries.deliver()

    replays.replay(countries.backbone, COUNTRIES, identity, start=From(last=3))

    assert (len(countries.queues.waiting(QUICK)), len(countries.queues.waiting(SLOW))) == (0, 3)


def test_copies_take_their_time(countries):
    target = "https://fleet.blob.core.windows.net/inbox"
    route = Route(channel=Channel.INBOX, target=target, copies=True)
    countries.subscribe(route=route, wanted=UPDATES)
    land(countries, 1)
    fan_out_all(countries)

    assert (len(countries.queues.waiting(QUICK)), len(countries.queues.waiting(SLOW))) == (0, 1)


@pytest.mark.parametrize(
    ("was", "outcome", "seconds", "becomes"),
    [
        (False, "delivered", 4.9, False),
        (False, "delivered", 5.0, True),
        (False, "retry", 5.0, True),
        (True, "delivered", 2.5, True),
        (True, "delivered", 2.4, False),
        (True, "retry", 0.1, True),
    ],
)
def test_who_is_slow(was, outcome, seconds, becomes):
    wants = nouns.subscription(COUNTRIES, is_slow=was)
    attempt = nouns.attempt(COUNTRIES, outcome=outcome, duration_s=seconds)

    assert paced(wants, attempt, quick=timedelta(seconds=5)).is_slow is becomes


def test_the_lanes_have_their_limits(countries):
    limits = []
    inner = countries.webhooks.deliver

    def deliver(*, limit, **given):
        limits.append(limit)
        return inner(limit=limit, **given)

    countries.webhooks.deliver = deliver
    subscribe(countries, HEALTHY)
    land(countries, 1)
    fan_out_all(countries)
    [message] = countries.queues.take(QUICK)
    told = Notification.from_data(message.body)
    notifications.notify(countries.backbone, told, lane=QUICK)
    notifications.notify(countries.backbone, replace(told, again=True, round=1), lane=SLOW)

    assert limits == [countries.backbone.policy.quick, countries.backbone.policy.patient]


def test_who_waits_for_long_goes_on_waiting(countries):
    """Behind a thousand that take their time, one is put off more often than a pause can double."""
    countries.land(f"{PLACE}/a.csv", b"code,name,area\nCH,n,1\n")
    event = ReceivedEvent.from_cloudevent(countries.events()[-1])
    waiting = replace(Notification.first(event, "s"), moved=2000)

    lanes.move(countries.backbone, waiting, SLOW)

    [message] = countries.queues.waiting(SLOW)
    assert message.due == countries.clock() + lanes.LONGEST_WAIT


class Silent:
    """Receivers that do not say whether they want to be told, until they may."""

    def __init__(self):
        self.asked = threading.Semaphore(0)
        self.may_answer = threading.Event()

    def verify(self, url):
        self.asked.release()
        if url in HANGING:
            self.may_answer.wait()
        return 0.01


def test_whoever_asks_for_much_at_once_holds_up_no_other_domain(countries):
    silent = Silent()
    backbone = countries.backbone = replace(countries.backbone, webhooks=silent)
    many = backbone.policy.at_once
    with ThreadPoolExecutor(many) as pool:
        asking = [pool.submit(subscribe, countries, url) for url in HANGING[:many]]
        for _ in asking:
            silent.asked.acquire()

        with pytest.raises(TooMany, match="4 receivers of fleet are being asked already") as told:
            subscribe(countries, HANGING[-1])
        subscriptions.subscribe(
            backbone, COUNTRIES, subscriber="rivers", route=webhook(HEALTHY), wanted=UPDATES
        )
        silent.may_answer.set()
    assert (told.value.problem, told.value.status, told.value.after) == ("too-many-calls", 429, 5)
    assert len({one.result() for one in asking}) == many
    subscribe(countries, HANGING[-1])


def test_a_receiver_that_was_gone_is_asked_among_the_others_of_its_domain(countries):
    identity = subscribe(countries, HEALTHY)
    gone = DeliveryAttempt(outcome="gone", status=410, reason="410.", duration_s=0)
    countries.webhooks.answers.append(gone)
    land(countries, 1)
    countries.deliver()

    with ExitStack() as others:
        for _ in range(countries.backbone.policy.at_once):
            others.enter_context(lanes.asking(countries.backbone, "fleet"))
        with pytest.raises(TooMany, match="are being asked already"):
            suspensions.resume(countries.backbone, COUNTRIES, identity, held="skip")
    suspensions.resume(countries.backbone, COUNTRIES, identity, held="skip")
