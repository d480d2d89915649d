"""Which webhooks have agreed to get events, and which are still being asked."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import aiohttp

from local.event_grid.clock import Clock
from local.event_grid.delivery import Pump
from local.event_grid.destinations.settings import WebHook
from local.event_grid.documents import Document
from local.event_grid.errors import Refused
from local.event_grid.handshake import MANUAL_SECONDS, RETRY_SECONDS, Answer, Question, ask
from local.event_grid.schemas import CLOUD_EVENTS
from local.event_grid.store import Store
from local.event_grid.topology import EventSubscription, Topic, read_subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """A handshake that the endpoint may still complete by calling the validation URL."""

    code: str
    until: float


class Validations:
    """Holds the handshakes and remembers their result.

    An event subscription of the topology file is asked again until it agrees: on one machine the
    endpoint often starts later than Event Grid. One that is created at run time has to agree at
    once, or by a call of the validation URL within ten minutes, as in Azure.
    """

    def __init__(self, http: aiohttp.ClientSession, store: Store, clock: Clock, url: str) -> None:
        self._http, self._store, self._clock, self._url = http, store, clock, url
        self._open: dict[str, _Open] = {}
        self._pumps: dict[str, Pump] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._last_refusal: dict[str, str] = {}

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def saved(self, topic: Topic) -> list[EventSubscription]:
        """The event subscriptions that were created at run time."""
        return [
            read_subscription(Document(value=document), input_schema=topic.input_schema)
            for document in self._store.saved_subscriptions(topic.name)
        ]

    def has_agreed(self, subscription: EventSubscription, key: str) -> bool:
        endpoint = _endpoint(subscription)
        return endpoint is None or self._store.is_validated(key, endpoint)

    def state(self, pump: Pump) -> str:
        """ARM's provisioning state, as far as it applies."""
        if not pump.held:
            return "Succeeded"
        opened = self._open.get(pump.key)
        if opened is not None and self._clock.now() < opened.until:
            return "AwaitingManualAction"
        return "Creating" if pump.key in self._asking else "Failed"

    def last_refusal(self, key: str) -> str | None:
        return self._last_refusal.get(key)

    async def agree_now(self, topic: Topic, subscription: EventSubscription, key: str) -> bool:
        """Hold the handshake of a new subscription; False when the endpoint may still call.

        Raises:
            Refused: the endpoint does not agree.
        """
        if self.has_agreed(subscription, key):
            return True
        self._clock.begin()
        try:
            answer, detail = await self._ask(topic, subscription, key)
        finally:
            self._clock.end()
        if answer is Answer.REFUSED:
            assert isinstance(subscription.destination, WebHook), "only webhooks are asked"
            message = (
                f"Webhook validation handshake failed for {subscription.destination.url}: {detail}."
            )
            raise Refused(400, "Url validation", message)
        self._stop_asking(key)
        return answer is Answer.AGREED

    def await_call(self, pump: Pump) -> None:
        """Let the validation URL release this pump."""
        self._pumps[pump.key] = pump

    def keep_asking(self, topic: Topic, pump: Pump) -> None:
        """Ask again and again, in the background, until the endpoint agrees."""
        self._pumps[pump.key] = pump
        self._clock.begin()
        self._asking[pump.key] = asyncio.create_task(self._ask_until_agreed(topic, pump))

    def called(self, key: str, code: str) -> bool:
        """Somebody called a validation URL; False when it is unknown or too late."""
        opened, pump = self._open.get(key), self._pumps.get(key)
        if opened is None or pump is None or opened.code != code:
            return False
        if self._clock.now() >= opened.until:
            return False
        self._agreed(pump.subscription, key)
        pump.release()
        return True

    def forget(self, key: str) -> None:
        """The subscription is gone."""
        self._open.pop(key, None)
        self._last_refusal.pop(key, None)
        self._stop_asking(key)

    def _stop_asking(self, key: str) -> None:
        self._pumps.pop(key, None)
        if task := self._asking.pop(key, None):
            task.cancel()

    async def _ask_until_agreed(self, topic: Topic, pump: Pump) -> None:
        working = True  # keep_asking() has said so
        try:
            while pump.held:
                answer, _ = await self._ask(topic, pump.subscription, pump.key)
                if answer is Answer.AGREED:
                    pump.release()
                    return
                pause = MANUAL_SECONDS if answer is Answer.WILL_CALL else RETRY_SECONDS
                self._clock.end()
                working = False
                await self._clock.sleep_until(self._clock.now() + pause)
                self._clock.begin()
                working = True
        finally:
            if working:
                self._clock.end()

    async def _ask(
        self, topic: Topic, subscription: EventSubscription, key: str
    ) -> tuple[Answer, str]:
        assert isinstance(subscription.destination, WebHook), "only webhooks are asked"
        code, now = str(uuid.uuid4()), self._clock.now()
        path = f"/management/topics/{topic.name}/eventSubscriptions/{subscription.name}/validate"
        self._open[key] = _Open(code=code, until=now + MANUAL_SECONDS)
        question = Question(
            webhook=subscription.destination,
            delivery_schema=subscription.delivery_schema,
            subscription=subscription.name,
            topic=topic.resource_id,
            code=code,
            validation_url=f"{self._url}{path}?code={code}",
            asked=now,
        )
        answer, detail = await ask(self._http, question)
        if answer is Answer.AGREED:
            self._agreed(subscription, key)
        elif answer is Answer.REFUSED:
            self._open.pop(key, None)
            self._last_refusal[key] = detail
        return answer, detail

    def _agreed(self, subscription: EventSubscription, key: str) -> None:
        endpoint = _endpoint(subscription)
        assert endpoint is not None, "only webhooks are asked"
        self._store.mark_validated(key, endpoint)
        self._open.pop(key, None)
        self._last_refusal.pop(key, None)


def _endpoint(subscription: EventSubscription) -> str | None:
    """What has agreed: a URL in a schema; None for what needs no handshake."""
    if not isinstance(subscription.destination, WebHook):
        return None
    family = "cloudevents" if subscription.delivery_schema == CLOUD_EVENTS else "eventgrid"
    return f"{family} {subscription.destination.url}"
