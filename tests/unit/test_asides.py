"""Who does not answer is waited for aside, once all places wait; shown by order, not by time."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import ContextVar
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from mesh import fan_out, lanes, memory, notifications, subscriptions
from mesh.asides import PLACES, Asides
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import PRODUCT_UPDATED, ReceivedEvent
from mesh.model.lanes import QUICK, SLOW
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.subscription import Channel, Filter, Route, webhook

HOST = json.loads((Path(__file__).parents[2] / "host.json").read_text())
COUNTRIES = ProductId(domain="geography", product="countries")
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
SOON = 30


@pytest.fixture
def asides():
    """Whoever waits is in the way."""
    return Asides(places=1, moment_s=0.001, most=3)


class Hanging:
    """Work that goes on until it is released."""

    def __init__(self, result="done"):
        self.begun, self.release, self.ended = (threading.Event() for _ in range(3))
        self.left = []
        self.result = result

    def work(self):
        self.begun.set()
        try:
            assert self.release.wait(SOON)
            if isinstance(self.result, Exception):
                raise self.result
            return self.result
        finally:
            self.ended.set()

    def leave(self):
        self.left.append(self)


def test_there_are_as_many_places_as_the_host_gives():
    assert HOST["extensions"]["serviceBus"]["maxConcurrentCalls"] == PLACES


def test_who_is_in_nobodys_way_is_waited_for():
    alone, asides = Hanging(), Asides(places=2, moment_s=0.001)
    with ThreadPoolExecutor() as workers:
        running = workers.submit(asides.run, QUICK, alone.work, alone.leave)
        assert alone.begun.wait(SOON)
        alone.release.set()
        assert running.result(SOON) == "done"

    assert alone.left == []


def test_who_is_in_the_way_goes_on_aside(asides, caplog):
    both = Hanging(), Hanging(ValueError("nobody reads this"))

    assert [asides.run(QUICK, one.work, one.leave) for one in both] == [None, None]
    assert [len(one.left) for one in both] == [1, 1]
    assert not any(one.ended.is_set() for one in both)
    for one in both:
        one.release.set()
        assert one.ended.wait(SOON)
    asides.close()
    assert "what went on aside failed: ValueError" in caplog.text


def test_there_is_room_aside_for_so_many(asides):
    many = [Hanging() for _ in range(5)]
    with ThreadPoolExecutor() as workers:
        running = [workers.submit(asides.run, QUICK, one.work, one.leave) for one in many]
        gone = set(islice(as_completed(running, timeout=SOON), 3))
        stayed = [(one, run) for one, run in zip(many, running, strict=True) if run not in gone]
        for one, run in stayed:
            one.release.set()
            assert (run.result(SOON), one.left) == ("done", [])
        for one in many:
            one.release.set()

    assert [run.result() for run in gone] == [None] * 3


def test_who_can_leave_nothing_behind_stays(asides):
    alone, tried = Hanging(), threading.Event()

    def broken():
        tried.set()
        raise OSError("no queue")

    with ThreadPoolExecutor() as workers:
        running = workers.submit(asides.run, QUICK, alone.work, broken)
        assert tried.wait(SOON)
        alone.release.set()

        assert running.result(SOON) == "done"


def test_what_fails_in_its_place_fails_there_and_knows_its_context():
    asides = Asides(places=2)
    known = ContextVar("known", default="nothing")
    known.set("the trace")

    def fail():
        raise ValueError(known.get())

    with pytest.raises(ValueError, match="the trace"):
        asides.run(QUICK, fail, lambda: None)


class Receivers:
    """Those that hang answer once they are released; the others at once."""

    def __init__(self):
        self.told, self.release = [], threading.Event()
        self.healthy, self.hung = threading.Semaphore(0), threading.Semaphore(0)

    def verify(self, url):  # noqa: ARG002 - whoever it is
        return 0.01

    def deliver(self, *, url, headers, **_):
        self.told.append((url, headers["webhook-id"]))
        if "hangs" in url:
            assert self.release.wait(SOON)
            self.hung.release()
        else:
            self.healthy.release()
        return DeliveryAttempt(outcome="delivered", status=200, reason="200.", duration_s=0.01)


@pytest.fixture
def hanging(countries):
    """A product with ten receivers that hang and ten that do not, and one event on its way."""
    receivers = Receivers()
    countries.backbone = replace(
        countries.backbone, webhooks=receivers, asides=Asides(places=2, moment_s=0.001)
    )
    for number in range(10):
        for kind in ("hangs", "healthy"):
            subscriptions.subscribe(
                countries.backbone,
                COUNTRIES,
                subscriber="fleet",
                route=webhook(f"https://{kind}-{number}.example/hook"),
                wanted=UPDATES,
            )
    countries.land("geography/countries/v1/countries/a.csv", b"code,name,area\nCH,n,1\n")
    fan_out.fan_out(countries.backbone, ReceivedEvent.from_cloudevent(countries.events()[-1]))
    return receivers


def work_through(world, lane):
    """All that waits in a lane, two at a time; returns what was recorded before it went aside."""
    told = [Notification.from_data(message.body) for message in world.queues.take(lane)]
    with ThreadPoolExecutor(2) as workers:
        notify = lambda one: notifications.notify(world.backbone, one, lane=lane)  # noqa: E731
        return list(workers.map(notify, told))


def test_a_first_event_reaches_the_healthy_while_others_hang(countries, hanging):
    first = threading.Thread(target=work_through, args=(countries, QUICK))
    first.start()
    for _ in range(10):
        assert hanging.healthy.acquire(timeout=SOON)
    assert not hanging.hung.acquire(blocking=False)  # nobody who hangs has answered
    hanging.release.set()
    first.join(SOON)
    countries.backbone.asides.close()
    countries.backbone = replace(countries.backbone, asides=memory.Asides())

    # What was left behind finds the attempts on record: nobody is told twice.
    left = countries.queues.waiting(SLOW)
    assert 8 <= len(left) <= 20  # a healthy one may be in the way for a moment, too
    assert {(one.due - countries.clock()) for one in left} == {
        countries.backbone.policy.quick + lanes.GRACE
    }
    assert work_through(countries, SLOW) == [None] * len(left)
    assert len(hanging.told) == 20
    [sequence] = {int(one.body["event"]["sequence"]) for one in left}
    recorded = countries.backbone.deliveries.of_event(COUNTRIES, sequence)
    assert [delivery.is_delivered for delivery in recorded] == [True] * 20


def test_what_ended_with_its_process_is_told_again_under_the_same_id(countries, hanging):
    hanging.release.set()
    message = countries.queues.take(QUICK)[0]
    told = Notification.from_data(message.body)
    lanes.leave(countries.backbone, told, QUICK)  # and then the process was gone

    [recorded] = work_through(countries, SLOW)

    assert recorded.outcome == "delivered"
    assert hanging.told[-1][1] == told.webhook_id
    assert notifications.notify(countries.backbone, told) is None  # it was redelivered as well


@pytest.mark.parametrize(("seconds", "lane"), [(2.4, QUICK), (2.5, SLOW), (9.0, SLOW)])
def test_who_took_long_to_consent_begins_among_the_slow(countries, seconds, lane):
    countries.webhooks.seconds = seconds
    route = webhook("https://sleepy.example/hook")
    countries.subscribe(route=route, wanted=UPDATES)
    countries.land("geography/countries/v1/countries/a.csv", b"code,name,area\nCH,n,1\n")

    fan_out.fan_out(countries.backbone, ReceivedEvent.from_cloudevent(countries.events()[-1]))

    assert [len(countries.queues.waiting(one)) for one in (QUICK, SLOW)] == [
        int(lane == QUICK),
        int(lane == SLOW),
    ]


def test_a_destination_that_takes_long_to_be_tried_begins_among_the_slow(countries):
    route = Route(channel=Channel.SERVICE_BUS, target="fleet/events")
    countries.subscribe(route=route, wanted=UPDATES)
    slow = DeliveryAttempt(outcome="delivered", status=None, reason="ok", duration_s=3.0)
    countries.destinations.answers.append(slow)

    made = countries.subscribe(route=route, wanted=Filter())

    assert made.subscription.is_slow
