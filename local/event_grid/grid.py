"""The Event Grid itself: topics with their event subscriptions, over one store and one clock."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from local.event_grid.access import DEVELOPMENT_KEY, check_key
from local.event_grid.clock import Clock, SystemClock, timestamp
from local.event_grid.connections import Connections
from local.event_grid.delivery import Pump
from local.event_grid.destinations.settings import WebHook
from local.event_grid.errors import answer_refusals
from local.event_grid.failure_log import FailureLog
from local.event_grid.filters import Filter
from local.event_grid.management import ManagementApi
from local.event_grid.publishing import MAX_BYTES, PublishEndpoint
from local.event_grid.retry import Spread, up_to_a_tenth_later
from local.event_grid.schemas import Event, read_events
from local.event_grid.store import Delivery, Store
from local.event_grid.topology import EventSubscription, Topic, Topology
from local.event_grid.validation import Validations
from local.process import LOOPBACK, listening_socket

_LOG = logging.getLogger(__name__)


class EventGrid:
    """A local Event Grid: `async with EventGrid(topology=…) as grid: …`.

    Publishers reach a custom topic at `endpoint(name)` with `key`; `publish` does the same from
    within the process, also for system topics.
    """

    def __init__(
        self,
        *,
        topology: Topology,
        port: int = 0,
        state: Path | None = None,
        service_bus: str | None = None,
        storage: str | None = None,
        telemetry: str | None = None,
        key: str = DEVELOPMENT_KEY,
        clock: Clock | None = None,
        spread: Spread = up_to_a_tenth_later,
    ) -> None:
        """Prepare; nothing happens before `start`.

        Args:
            topology: What exists.
            port: Where to listen on loopback; 0 takes a free one.
            state: The folder that holds what must not be forgotten; None keeps it in memory.
            service_bus: Connection string of the namespace that events are delivered to.
            storage: Connection string of the account for storage queues and dead letters.
            telemetry: Base URL of an OTLP receiver that is told of each failed attempt.
            key: The access key of every custom topic, in base64.
            clock: The wall clock unless a test brings a `ManualClock`.
            spread: The randomisation of retry delays.
        """
        self.clock: Clock = clock or SystemClock()
        self.key = key
        self._port, self._spread = port, spread
        self._state = state
        self._topics = {topic.name.casefold(): topic for topic in topology.topics}
        self._pumps: dict[str, dict[str, Pump]] = {name: {} for name in self._topics}
        self._connections = Connections(service_bus=service_bus, storage=storage)
        self._failures = FailureLog(telemetry)
        self._exit = contextlib.AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the state, take up what was left, and listen.

        Raises:
            LocalError: the port or the state folder is in use, the state is damaged, the key is
                not base64, or a destination needs a connection string that was not given.
        """
        check_key(self.key)
        for topic in self._topics.values():
            for subscription in topic.subscriptions:
                self._connections.check(subscription)
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        bound = listening_socket(self._port, purpose="Event Grid", option="--port")
        self._exit.callback(bound.close)
        self._store = Store(self._state / "event-grid.sqlite" if self._state else None)
        self._exit.callback(self._store.close)
        self.url = f"http://{LOOPBACK}:{bound.getsockname()[1]}"
        http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        await self._exit.enter_async_context(http)
        self._connections.open(http)
        self._exit.push_async_callback(self._connections.close)
        self._exit.push_async_callback(asyncio.to_thread, self._failures.close)
        self._exit.push_async_callback(self._close_pumps)
        self._validations = Validations(http, self._store, self.clock, self.url)
        self._exit.push_async_callback(self._validations.close)
        for topic in self._topics.values():
            self._restore(topic)
        self._forget_removed_subscriptions()
        runner = await self._listen(bound)
        self._exit.push_async_callback(runner.cleanup)
        await self._connections.warm()

    async def stop(self) -> None:
        """Stop listening and delivering; what is undelivered stays in the state folder."""
        await self._exit.aclose()

    async def _close_pumps(self) -> None:
        pumps = [pump for pumps in self._pumps.values() for pump in pumps.values()]
        await asyncio.gather(*(pump.close() for pump in pumps))

    def endpoint(self, topic: str) -> str:
        """The URL that a publisher of this custom topic needs."""
        return f"{self.url}/{topic}/api/events"

    @property
    def topics(self) -> list[Topic]:
        return list(self._topics.values())

    def find_topic(self, name: str) -> Topic | None:
        return self._topics.get(name.casefold())

    def pumps(self, topic: str) -> dict[str, Pump]:
        """The running event subscriptions of a topic, by lower-case name."""
        return self._pumps[topic.casefold()]

    def filters(self, topic: str) -> list[Filter]:
        """What the subscriptions of a topic ask for."""
        return [pump.subscription.filter for pump in self.pumps(topic).values()]

    def pending(self, pump: Pump) -> list[tuple[Delivery, Event]]:
        """What still has to go to a subscription."""
        deliveries = self._store.deliveries(pump.key)
        return [(each, self._store.event(each.sequence)) for each in deliveries]

    def publish(self, topic: str, batch: Any, *, internal_ids: Sequence[str] | None = None) -> None:
        """Accept a batch of events and begin to deliver it; durable on return.

        Args:
            topic: The name of a custom or a system topic.
            batch: A list of events in the topic's input schema.
            internal_ids: Event Grid's own ids of the events, for a source that publishes the same
                event again after a crash; new ones otherwise.

        Raises:
            NotAnEvent: the batch is refused as a whole.
        """
        definition = self._topics[topic.casefold()]
        now = self.clock.now()
        attributes = read_events(
            batch,
            schema=definition.input_schema,
            topic=definition.resource_id,
            now=timestamp(now),
            mapping=definition.mapping,
        )
        ids = internal_ids or [str(uuid.uuid4()) for _ in attributes]
        matched: list[tuple[Event, list[Pump]]] = []
        for each, internal_id in zip(attributes, ids, strict=True):
            event = Event(
                attributes=each,
                input_schema=definition.input_schema,
                internal_id=internal_id,
                published=now,
            )
            wanted = [p for p in self.pumps(topic).values() if p.subscription.filter.matches(event)]
            if wanted:
                matched.append((event, wanted))
        self._dispatch(matched)

    def _dispatch(self, matched: list[tuple[Event, list[Pump]]]) -> None:
        if not matched:
            return
        sequences = self._store.accept([(e, [p.key for p in pumps]) for e, pumps in matched])
        offers: dict[str, tuple[Pump, list[Delivery]]] = {}
        for (event, pumps), sequence in zip(matched, sequences, strict=True):
            for pump in pumps:
                delivery = Delivery(
                    sequence=sequence, published=event.published, due=event.published, event=event
                )
                offers.setdefault(pump.key, (pump, []))[1].append(delivery)
        for pump, deliveries in offers.values():
            pump.offer(deliveries)

    async def create_subscription(self, topic: str, subscription: EventSubscription) -> Pump:
        """Create or replace an event subscription at run time; it survives a restart.

        One that the topology file declares is replaced until the next start only.

        Raises:
            LocalError: its destination needs a connection string that was not given.
            Refused: its webhook did not agree.
        """
        self._connections.check(subscription)
        definition = self._topics[topic.casefold()]
        key = _key(definition, subscription)
        agreed = await self._validations.agree_now(definition, subscription, key)
        replaced = self.pumps(topic).get(subscription.name.casefold())
        if replaced is not None:
            # It stays in its place, and takes what comes meanwhile into the store.
            await replaced.close()
        document = {**subscription.document, "name": subscription.name}
        self._store.save_subscription(definition.name, subscription.name, document)
        pump = self._start_pump(definition, subscription, held=not agreed)
        if not agreed:
            self._validations.await_call(pump)
        return pump

    async def delete_subscription(self, topic: str, name: str) -> bool:
        """Delete an event subscription with everything that still had to go to it."""
        pump = self.pumps(topic).pop(name.casefold(), None)
        if pump is None:
            return False
        self._validations.forget(pump.key)
        await pump.close()
        definition = self._topics[topic.casefold()]
        self._store.delete_subscription(definition.name, pump.subscription.name)
        self._store.forget_subscription(pump.key)
        return True

    def _restore(self, topic: Topic) -> None:
        declared = {subscription.name.casefold() for subscription in topic.subscriptions}
        created = [
            subscription
            for subscription in self._validations.saved(topic)
            if subscription.name.casefold() not in declared
        ]
        for subscription in (*topic.subscriptions, *created):
            self._connections.check(subscription)
            key = _key(topic, subscription)
            agreed = self._validations.has_agreed(subscription, key)
            pump = self._start_pump(topic, subscription, held=not agreed)
            if not agreed:
                self._validations.keep_asking(topic, pump)

    def _start_pump(self, topic: Topic, subscription: EventSubscription, *, held: bool) -> Pump:
        pump = Pump(
            subscription,
            key=_key(topic, subscription),
            topic_id=topic.resource_id,
            failures=self._failures,
            deliverer=self._connections.deliverer(subscription.destination),
            writer=self._connections.dead_letter_writer,
            store=self._store,
            clock=self.clock,
            spread=self._spread,
            held=held and isinstance(subscription.destination, WebHook),
        )
        self._pumps[topic.name.casefold()][subscription.name.casefold()] = pump
        pump.restore()
        return pump

    def _forget_removed_subscriptions(self) -> None:
        known = {pump.key for pumps in self._pumps.values() for pump in pumps.values()}
        for key in self._store.subscriptions_with_deliveries():
            if key not in known:
                count = self._store.forget_subscription(key)
                _LOG.warning("Event Grid drops %d events of '%s', which is gone", count, key)

    async def _listen(self, bound: Any) -> web.AppRunner:
        app = web.Application(middlewares=[answer_refusals], client_max_size=MAX_BYTES)
        ManagementApi(self, self._validations).add_to(app)
        PublishEndpoint(self, self.key).add_to(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        return runner


def _key(topic: Topic, subscription: EventSubscription) -> str:
    return f"{topic.name}/{subscription.name}".casefold()
