"""A product's events as a feed over HTTP: pages, each with the next; wait at the end for more.

A page is what the log holds after a sequence. The log only grows, so a page that was read up to a
sequence stays as it is: that sequence is its tag.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from mesh import subscriptions
from mesh.backbone import Backbone
from mesh.catalogue import find_stream
from mesh.model.events import ReceivedEvent
from mesh.model.names import ProductId

LONGEST_WAIT_S = 20
"""Below what proxies and clients take for a dead connection."""

MOST_READ = 1000
"""Events that are looked at for one page, whatever a filter lets through of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some of a product's events, in order.

    Attributes:
        upto: sequence of the last event that was looked at; the next page begins after it.
    """

    events: Sequence[Mapping[str, Any]]
    upto: int

    @property
    def tag(self) -> str:
        """Its entity tag (RFC 9110), for the request that it answers."""
        return f'"{self.upto}"'


def read(
    backbone: Backbone, product: ProductId, *, after: int, limit: int, subscription: str = ""
) -> Page:
    """The events with a sequence above `after`; those that a subscription wants, if it is named.

    Raises:
        NotFound: there is no such product, or no such subscription to it.
    """
    find_stream(backbone, product)
    if not subscription:
        found = backbone.registry.events(product, after=after, limit=limit)
        return Page(events=found, upto=int(found[-1]["sequence"]) if found else after)
    wants = subscriptions.find(backbone, product, subscription)
    wanted: list[Mapping[str, Any]] = []
    upto = after
    for event in backbone.registry.events(product, after=after, limit=MOST_READ):
        if len(wanted) == limit:
            break
        upto = int(event["sequence"])
        if wants.filter.matches(ReceivedEvent.from_cloudevent(event)):
            wanted.append(event)
    return Page(events=wanted, upto=upto)


async def wait(
    backbone: Backbone,
    product: ProductId,
    *,
    after: int,
    limit: int,
    subscription: str = "",
    known: str = "",
    seconds: int = 0,
) -> Page | None:
    """The page, as soon as it has events, or when the time is up; None when it is the `known` one.

    Between two looks no thread is held.

    Args:
        known: tag of the page that the caller has.
        seconds: how long to wait for what the caller has not.

    Raises:
        NotFound: as `read`.
    """
    pauses = _pauses(seconds)
    while True:
        page = await asyncio.to_thread(
            read, backbone, product, after=after, limit=limit, subscription=subscription
        )
        pause = None if page.events and page.tag != known else next(pauses, None)
        if pause is None:
            return None if page.tag == known else page
        await asyncio.sleep(pause)


def _pauses(seconds: int) -> Iterator[float]:
    """Pauses that are `seconds` long together; who has just asked is answered fastest."""
    left = float(seconds)
    for pause in chain((0.1, 0.2, 0.3, 0.4, 0.5), repeat(1.0)):
        if left <= 0:
            return
        yield min(pause, left)
        left -= pause
