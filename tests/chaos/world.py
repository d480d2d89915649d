"""The real app on the backbone in memory, on a platform that kills and redelivers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import count
from typing import Any, TypeVar

from azure.functions.servicebus import ServiceBusMessage

from mesh import agreements, onboarding, outbox, subscriptions, suspects, suspensions
from mesh.backbone import Backbone, in_memory, replace_backbone
from mesh.errors import NotFound, Rejected, Unavailable
from mesh.memory.storage import Blob
from mesh.model.claim import PAUSE
from mesh.model.dropped_file import UNPLACED, Place, place_of
from mesh.model.names import ProductId
from mesh.model.subscription import PULL, Channel, Filter, Route, webhook
from mesh.subscriptions import Subscribed
from tests import indexed
from tests.chaos.asides import Asides
from tests.chaos.broker import Broker, Waiting
from tests.chaos.consumers import Receivers
from tests.chaos.effects import Fate, Killed, Worker, unharmed, with_effects, working
from tests.chaos.evidence import Landed, Story, Wish
from tests.chaos.evidence import in_memory as evidence_of
from tests.chaos.promise import broken

T = TypeVar("T")
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
A_MINUTE = timedelta(minutes=1)
LANDED = "landed-files"
LOCK = timedelta(minutes=1)
"""How long a message of a worker that died stays locked."""


@lru_cache(maxsize=1)
def functions() -> dict[str, Callable[[Any], None]]:
    """The app's functions with a Service Bus trigger, by what they listen to."""
    found = {}
    for function in indexed.functions():
        trigger = function.get_trigger().get_dict_repr()
        queue = trigger.get("queueName")
        if trigger.get("topicName"):
            queue = f"{trigger['topicName']}/{trigger['subscriptionName']}"
        if queue:
            found[queue] = function.get_user_function()
    return found


@dataclass(kw_only=True)
class World:
    """A mesh in memory and its platform.

    Attributes:
        at: the true time, which broker and storage go by.
        skew: how far the workers' clock is off.
        inner: the backbone without effects, for looking at.
        died: how often a worker was killed.
        deaths: how often that happened while a file may have been judged, by version and message.
    """

    at: datetime = START
    skew: timedelta = timedelta()
    landed: list[Landed] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)
    died: int = 0
    split: set[ProductId] = field(default_factory=set)
    deaths: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        inner = in_memory(now=lambda: self.at + self.skew)
        self.broker = Broker(now=lambda: self.at, pull=inner.pull)
        self.receivers = Receivers(now=lambda: self.at)
        self.inner = inner
        whole = with_effects(replace(inner, topic=self.broker, queues=self.broker))
        self.destinations = self.receivers.as_destinations()
        self.asides = Asides()
        self.backbone: Backbone = replace(
            whole,
            webhooks=self.receivers,
            destinations=self.destinations,
            asides=self.asides,
        )

    def become(self, other: World) -> None:
        """Take over all that is in another world; the other stays as it is."""
        self.at, self.skew, self.died = other.at, other.skew, other.died
        self.landed, self.split = list(other.landed), set(other.split)
        self.wishes = dict(other.wishes)
        for port in fields(self.inner):
            _take_over(getattr(self.inner, port.name), getattr(other.inner, port.name))
        _take_over(self.broker, other.broker)
        self.receivers.told = list(other.receivers.told)

    @contextmanager
    def running(self) -> Iterator[World]:
        """Let the app's functions find this world's backbone."""
        with replace_backbone(self.backbone):
            yield self

    def run(self, message: Waiting, fate: Fate = unharmed) -> Worker:
        """Let a worker handle a message, and settle it as the platform does."""
        worker = Worker(fate=fate)
        self.broker.hand_out(message)
        try:
            with working(worker):
                functions()[message.queue](_as_given(message))
                worker.pass_by("complete")
        except Killed:
            self.died += 1
            self._put_on(message, worker)
            self.at += LOCK
            a_new_process()
            self.broker.give_back(message)
        except Exception:  # noqa: BLE001 - whatever it is, the host gives the message back
            self.broker.give_back(message)
        else:
            self.broker.complete(message)
        return worker

    def _put_on(self, message: Waiting, worker: Worker) -> None:
        """A death counts that a first delivery met, or a further one that it had put down."""
        has_begun = message.deliveries == 1 or "before registry.suspect" in worker.passed
        if message.queue == LANDED and has_begun:
            self.deaths[json.loads(message.body)["data"]["eTag"], message.id] += 1

    def call(self, verb: Callable[[Backbone], T], fate: Fate = unharmed) -> T:
        """Let a client call until there is an answer; the first call meets its fate."""
        while True:
            try:
                with working(Worker(fate=fate)):
                    return verb(self.backbone)
            except (Killed, Unavailable, ExceptionGroup):  # timers tell of several at once
                fate = unharmed

    def relay(self, fate: Fate = unharmed) -> None:
        """The timer."""
        try:
            with working(Worker(fate=fate)):
                outbox.relay_all(self.backbone)
        except (Killed, Exception):  # noqa: BLE001 - the timer comes again
            return

    def settle(self, fates: Callable[[Waiting], Fate] = lambda _: unharmed) -> None:
        """Hand out messages, in order, until there are none, scheduled ones included."""
        for _ in range(10_000):
            ready = self.broker.ready()
            if ready:
                self.run(ready[0], fates(ready[0]))
                continue
            due = self.broker.next_due()
            if due is None:
                break
            self.at = max(self.at, due)
        else:
            raise AssertionError("the mesh does not come to rest")

    def rest(self) -> None:
        """Let everything end, with nothing more going wrong: messages, schedules and the timer."""
        for _ in range(3):
            self.settle()
            self.at += 2 * A_MINUTE
            self.relay()
        self.settle()

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

    def drop(self, name: str, data: bytes, *, misplaced: bool = False) -> dict[str, Any]:
        """Drop a file; returns the event that storage raises, and puts it on its way."""
        location = f"landing/{name}"
        order = len(self.landed) + 1
        etag = f"0x{order:08X}"
        self.inner.storage.blobs[location] = Blob(data=data, content_type="text/csv", etag=etag)
        place = place_of(name)
        product = place.product if isinstance(place, Place) else UNPLACED
        self.landed.append(
            Landed(
                partition=product.key,
                place=name,
                etag=etag,
                data=data,
                order=order,
                split=product in self.split,
                misplaced=misplaced or product == UNPLACED,
                early=self.inner.registry.head(product).product is None,
            )
        )
        event = {
            "eventType": "Microsoft.Storage.BlobCreated",
            "eventTime": self.at.isoformat(),
            "data": {
                "url": self.inner.storage.url(location),
                "eTag": etag,
                "contentLength": len(data),
                "sequencer": f"{order:020x}",
            },
        }
        self.tell(event, f"created-{order}")
        return event

    def tell(self, event: dict[str, Any], identity: str) -> None:
        """Put a BlobCreated event on its queue."""
        self.broker.put(LANDED, identity, event)

    def broken(self) -> list[str]:
        """Every way in which the promise is broken."""
        deaths = Counter[str]()
        for (etag, _), times in self.deaths.items():
            deaths[etag] = max(deaths[etag], times)
        story = Story(landed=self.landed, wishes=list(self.wishes.values()), deaths=deaths)
        return broken(story, evidence_of(self))


def _take_over(port: Any, other: Any) -> None:
    """Copy the contents: lists, dictionaries, sets and counters; not locks and clocks."""
    for name, value in vars(other).items() if hasattr(other, "__dict__") else ():
        if isinstance(value, list | dict | set | count):
            setattr(port, name, _copied(value))


def _copied(value: Any) -> Any:
    """A copy as deep as things change; nouns do not."""
    if isinstance(value, dict):
        made = copy(value)  # a defaultdict remains one
        made.update((key, _copied(held)) for key, held in value.items())
        return made
    if isinstance(value, list):
        return [_copied(held) for held in value]
    if isinstance(value, Waiting):
        return replace(value)
    if isinstance(value, set | count):
        return copy(value)
    if is_dataclass(value) and type(value).__name__ == "_Partition":
        kept = {part.name: _copied(getattr(value, part.name)) for part in fields(value)}
        return type(value)(**kept)
    return value


def _product(partition: str) -> ProductId:
    domain, _, product = partition.partition(".")
    return ProductId(domain=domain, product=product)


def _as_given(message: Waiting) -> ServiceBusMessage:
    return ServiceBusMessage(
        body=message.body.encode(),
        message_id=message.id,
        delivery_count=message.deliveries,
        application_properties={},
        user_properties={},
    )


def a_new_process() -> None:
    """Nothing is left of what a process remembers."""
    if suspects._process is not suspects._Process:  # else it is new at every call
        suspects._process.cache_clear()
