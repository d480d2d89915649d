"""What clients ask of the mesh in memory, each until there is an answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from mesh import agreements, onboarding, subscriptions, suspensions
from mesh.backbone import Backbone
from mesh.errors import NotFound, Rejected, Unavailable
from mesh.model.claim import PAUSE
from mesh.model.names import ProductId
from mesh.model.subscription import PULL, Channel, Filter, Route, webhook
from mesh.subscriptions import Subscribed
from tests.chaos.broker import Broker
from tests.chaos.consumers import Destinations, Receivers
from tests.chaos.effects import Fate, Killed, Worker, unharmed, working
from tests.chaos.evidence import Landed, Wish

T = TypeVar("T")
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class Clients:
    """Producers and consumers of a mesh in memory, and what they remember.

    Attributes:
        at: the true time, which broker and storage go by.
        skew: how far the workers' clock is off.
        inner: the backbone without effects, for looking at.
        backbone: the same, of which each call is an effect.
        split: products that publish the good rows of a file with bad ones.
    """

    at: datetime = START
    skew: timedelta = timedelta()
    landed: list[Landed] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)
    split: set[ProductId] = field(default_factory=set)
    inner: Backbone = field(init=False, repr=False, compare=False)
    backbone: Backbone = field(init=False, repr=False, compare=False)
    broker: Broker = field(init=False, repr=False, compare=False)
    receivers: Receivers = field(init=False, repr=False, compare=False)
    destinations: Destinations = field(init=False, repr=False, compare=False)

    def call(self, verb: Callable[[Backbone], T], fate: Fate = unharmed) -> T:
        """Let a client call until there is an answer; the first call meets its fate."""
        while True:
            try:
                with working(Worker(fate=fate)):
                    return verb(self.backbone)
            except (Killed, Unavailable, ExceptionGroup):  # timers tell of several at once
                fate = unharmed

    def onboard(self, files: dict[str, str], product: ProductId, fate: Fate = unharmed) -> None:
        """Send a declaration, until it is taken in."""
        self.call(lambda b: onboarding.request(b, files, requested_by="chaos"), fate)
        if "split" in "".join(files.values()):
            self.split.add(product)

    def subscribe(
        self,
        product: ProductId,
        url: str | None,
        *,
        subscriber: str = "aviation",
        wanted: Filter | None = None,
        route: Route | None = None,
        fate: Fate = unharmed,
    ) -> Wish:
        """Subscribe by webhook, by pull when there is no URL, or by `route`; until it is done."""
        wanted = wanted or Filter()
        route = route or (PULL if url is None else webhook(url))
        made = self._subscribed(
            partial(
                subscriptions.subscribe,
                product=product,
                subscriber=subscriber,
                route=route,
                wanted=wanted,
            ),
            fate,
        )
        wants = made.subscription
        # When the answer with the secret is lost, rotating tells a new one; the old one is enough
        # here, for it is derived.
        is_signed = wants.channel is Channel.PUSH
        secret = self.inner.signing.reveal(wants.id, wants.generation) if is_signed else None
        wish = Wish(
            id=wants.id,
            partition=product.key,
            target=wants.target,
            types=wanted.types,
            secret=secret,
            is_pulled=wants.channel is Channel.PULL,
            ordered=wants.ordered,
            first=len(self.landed) + 1,
            subscriber=subscriber,
        )
        self.wishes[wish.id] = wish
        return wish

    def _subscribed(self, ask: Callable[..., Subscribed], fate: Fate) -> Subscribed:
        """What comes of asking; a destination's token is sent back, or waited for."""
        token = ""
        while True:
            try:
                return self.call(partial(ask, token=token), fate)
            except Rejected as refused:
                if refused.problem not in {"destination-unproven", "wrong-token"}:
                    raise
                newest = self.destinations.tokens.get(ask.keywords["route"].target, "")
                if newest == token:  # it died before it was delivered
                    token, self.at = "", self.at + PAUSE
                else:
                    token = newest

    def revoke(self, product: ProductId, subscriber: str, fate: Fate = unharmed) -> None:
        """Let the owner end a domain's agreement, until there is an answer."""
        why = {"by": "chaos", "reason": "It was enough."}
        self.call(lambda b: agreements.revoke(b, product, subscriber, **why), fate)
        self._barred(product, subscriber)

    def expire(self, product: ProductId, subscriber: str, fate: Fate = unharmed) -> None:
        """Let a domain's agreement end by itself, and the timer see it."""
        self.call(lambda b: agreements.request(b, product, subscriber, purpose="", by="chaos"))
        why = {"by": "chaos", "reason": "For a day."}
        self.call(lambda b: agreements.approve(b, product, subscriber, **why, days=1), fate)
        self.at += timedelta(days=1) + 3 * timedelta(hours=1)
        self.call(agreements.check_all, fate)
        self._barred(product, subscriber)

    def _barred(self, product: ProductId, subscriber: str) -> None:
        for wish in list(self.wishes.values()):
            of_it = (wish.partition, wish.subscriber) == (product.key, subscriber)
            if not of_it or wish.last is not None:
                continue
            held = len(self.broker.pulled.get(wish.target, ()))
            told = sum(one.url == wish.target for one in self.receivers.told)
            self.wishes[wish.id] = replace(
                wish, last=len(self.landed), barred_after=held if wish.is_pulled else told
            )

    def unsubscribe(self, wish: Wish, fate: Fate = unharmed) -> None:
        """Unsubscribe, until there is an answer; that there is no such subscription is one."""
        product = _product(wish.partition)
        with suppress(NotFound):
            self.call(lambda b: subscriptions.unsubscribe(b, product, wish.id), fate)
        self.wishes[wish.id] = replace(wish, last=len(self.landed))

    def resumable(self) -> list[Wish]:
        """Subscriptions that are not told: suspended after failures, or gone."""
        held = self.inner.subscriptions
        found = {w.id: held.get(_product(w.partition), w.id) for w in self.wishes.values()}
        return [
            wish
            for wish in self.wishes.values()
            if wish.last is None and (known := found[wish.id]) and known.suspended_at
        ]

    def resume(self, wish: Wish, fate: Fate = unharmed) -> None:
        """Resume a subscription and have it told of all that it missed, until there is an answer.

        When the answer was lost, the call may say that it is not suspended any more.
        """
        product = _product(wish.partition)
        with suppress(Rejected):
            self.call(lambda b: suspensions.resume(b, product, wish.id, held="replay"), fate)


def _product(partition: str) -> ProductId:
    domain, _, product = partition.partition(".")
    return ProductId(domain=domain, product=product)
