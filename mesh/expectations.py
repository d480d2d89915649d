"""The dog that did not bark: say so when a product's data does not arrive as its contract says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from mesh import contracts, outbox
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.file_sets import has_sets, overdue
from mesh.model.events import Announcement
from mesh.model.expectation import Awaited, Expectation, expectations_of
from mesh.model.expectation_events import announcement
from mesh.model.names import ProductId
from mesh.model.product import DataProduct
from mesh.model.record import Commit, Head, Snapshot, number
from mesh.ports import Storage
from mesh.rounds import over_products
from mesh.service_checks import is_schedule

MOST_TOLD = 20
"""Announcements in one commit; after a long outage the rest follow at the next check."""


def check_all(backbone: Backbone) -> int:
    """Check every product; returns how many events that made.

    One product's trouble does not keep the others from being checked: it is raised at the end.
    """
    return over_products(backbone, check, "some products' expectations could not be checked")


def check(backbone: Backbone, product: ProductId) -> int:
    """Announce what is late, missed or recovered by now; returns how many events that made."""
    head = backbone.registry.head(product)
    if head.product is None:
        return 0
    if not _expectations(backbone, head.product) and not has_sets(backbone, head.product):
        return 0

    def decide(current: Head) -> Commit | None:
        if current.product is None:
            return None
        return _decide(backbone, current, current.product)

    done = commit(backbone, product, decide, first=head)
    if done is None:
        return 0
    outbox.publish(backbone, product, done.events)
    return len(done.events)


def next_time(expectation: Expectation, after: datetime) -> datetime:
    """The first expected time after `after`, in UTC."""
    if expectation.schedule is None:
        assert expectation.every is not None  # there is no expectation without either
        return after + expectation.every
    return next(_ticks(expectation, after))


def _decide(backbone: Backbone, head: Head, product: DataProduct) -> Commit | None:
    known = {
        (awaited.major, awaited.object_name): awaited
        for awaited in backbone.registry.awaited(head.id)
    }
    arrivals = {
        (snapshot.major, snapshot.object_name): snapshot
        for snapshot in backbone.registry.snapshots(head.id)
    }
    told: list[Announcement] = []
    changed: list[Awaited] = []
    for expectation in _expectations(backbone, product):
        key = (expectation.major, expectation.object_name)
        before = known.get(key) or _first(expectation, head.onboarded_at or backbone.now())
        after = _advance(backbone, head.id, expectation, before, arrivals.get(key), told)
        if after != known.get(key):
            changed.append(after)
    late, said = overdue(backbone, head.id, product, most=MOST_TOLD)
    if not changed and not late:
        return None
    moved, events = number(head, (*told, *said))
    return Commit(head=moved, events=events, awaited=tuple(changed), sets=late)


def _first(expectation: Expectation, onboarded_at: datetime) -> Awaited:
    return Awaited(
        port=expectation.port,
        major=expectation.major,
        object_name=expectation.object_name,
        expected_at=next_time(expectation, onboarded_at),
    )


def _advance(
    backbone: Backbone,
    product: ProductId,
    expectation: Expectation,
    awaited: Awaited,
    snapshot: Snapshot | None,
    told: list[Announcement],
) -> Awaited:
    """Live through deadlines and the newest arrival in the order in which they happened.

    How often this is called does not matter: the same is told, with the same ids.
    """
    now = backbone.now()
    while len(told) < MOST_TOLD:
        arrived_at = _arrival(expectation, awaited, snapshot)
        horizon = now if arrived_at is None else min(now, arrived_at)
        late_at = awaited.expected_at + expectation.grace
        following = next_time(expectation, awaited.expected_at)
        if not awaited.told_late and horizon > late_at:
            told.append(announcement("late", product, expectation, awaited, at=now))
            awaited = replace(awaited, told_late=True)
        elif horizon > following + expectation.grace:
            told.append(announcement("missed", product, expectation, awaited, at=now))
            awaited = replace(
                awaited, expected_at=following, told_late=False, missed=awaited.missed + 1
            )
        elif arrived_at is not None:
            if awaited.is_overdue:
                told.append(
                    announcement(
                        "recovered", product, expectation, awaited, at=now, arrived_at=arrived_at
                    )
                )
            awaited = _fulfilled(expectation, awaited, arrived_at)
        else:
            break
    return awaited


def _arrival(
    expectation: Expectation, awaited: Awaited, snapshot: Snapshot | None
) -> datetime | None:
    """When the awaited data landed; None when it has not.

    What lands up to half a period early counts for a scheduled time; what lands earlier still came
    again for the time before.
    """
    if snapshot is None:
        return None
    if awaited.arrived_at is not None and snapshot.landed_at <= awaited.arrived_at:
        return None
    if expectation.schedule is not None:
        following = next_time(expectation, awaited.expected_at)
        early = (following - awaited.expected_at) / 2
        if snapshot.landed_at < awaited.expected_at - early:
            return None
    return snapshot.landed_at


def _fulfilled(expectation: Expectation, awaited: Awaited, arrived_at: datetime) -> Awaited:
    start = awaited.expected_at if expectation.schedule is not None else arrived_at
    return replace(
        awaited,
        expected_at=next_time(expectation, start),
        told_late=False,
        missed=0,
        arrived_at=arrived_at,
    )


def _ticks(expectation: Expectation, after: datetime) -> Iterator[datetime]:
    """The times of a schedule; an hour of the day that comes twice in autumn counts once."""
    from zoneinfo import ZoneInfo

    from croniter import croniter

    assert expectation.schedule is not None  # the caller has seen it
    local = after.astimezone(ZoneInfo(expectation.zone))
    is_hourly = expectation.schedule.split()[1] == "*"
    for tick in croniter(expectation.schedule, local, ret_type=datetime):
        is_repeated = tick.fold and not is_hourly
        if tick.date() not in expectation.holidays and not is_repeated:
            yield tick.astimezone(UTC)


def _expectations(backbone: Backbone, product: DataProduct) -> tuple[Expectation, ...]:
    return tuple(
        expectation
        for port in product.newest_ports.values()
        if port.retired_at is None
        for expectation in _of_contract(
            backbone.storage,
            contracts.location(product.id, port),
            port.name,
            port.major,
            port.objects,
        )
    )


@lru_cache(maxsize=contracts.PLANS_KEPT)
def _of_contract(
    storage: Storage, location: str, port: str, major: int, objects: tuple[str, ...]
) -> tuple[Expectation, ...]:
    document = json.loads(contracts.read(storage, location))
    found = expectations_of(document, port=port, major=major, objects=objects)
    return tuple(one for one in found if one.schedule is None or is_schedule(one.schedule))
