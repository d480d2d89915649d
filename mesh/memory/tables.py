"""Catalogue, sagas, templates, subscriptions and deliveries, in memory."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count

from mesh.errors import Conflict
from mesh.model.audit import AuditEntry, Deed, Intent, following
from mesh.model.catalogue import ProductSummary
from mesh.model.claim import Claim
from mesh.model.ended import Ended
from mesh.model.events import ReceivedEvent
from mesh.model.interests import Interest, interests, of_event
from mesh.model.names import ProductId
from mesh.model.notification import Delivery, RecordedAttempt
from mesh.model.onboarding import Onboarding
from mesh.model.subscription import Channel, Subscription
from mesh.model.template import Template, TemplateName


class Catalogue:
    """`mesh.ports.Catalogue` in memory."""

    def __init__(self) -> None:
        self._summaries: dict[str, ProductSummary] = {}
        self._lock = threading.Lock()

    def put(self, summary: ProductSummary) -> None:
        with self._lock:
            self._summaries[summary.id.key] = summary

    def products(self) -> Iterator[ProductSummary]:
        with self._lock:
            found = [self._summaries[key] for key in sorted(self._summaries)]
        return iter(found)


class Onboardings:
    """`mesh.ports.Onboardings` in memory."""

    def __init__(self) -> None:
        self._sagas: dict[str, Onboarding] = {}
        self._versions = count(1)
        self._lock = threading.Lock()

    def get(self, onboarding: str) -> Onboarding | None:
        with self._lock:
            return self._sagas.get(onboarding)

    def put(self, onboarding: Onboarding) -> None:
        with self._lock:
            known = self._sagas.get(onboarding.id)
            if onboarding.etag != (known and known.etag):
                message = f"Onboarding {onboarding.id} was changed by another writer."
                raise Conflict(message)
            self._sagas[onboarding.id] = replace(onboarding, etag=f'W/"{next(self._versions)}"')

    def of_product(self, product: ProductId) -> Sequence[Onboarding]:
        with self._lock:
            sagas = [self._sagas[key] for key in sorted(self._sagas)]
        return [saga for saga in sagas if saga.product == product]


class Templates:
    """`mesh.ports.Templates` in memory."""

    def __init__(self) -> None:
        self._templates: dict[TemplateName, Template] = {}
        self._lock = threading.Lock()

    def add(self, template: Template) -> Template:
        with self._lock:
            return self._templates.setdefault(template.id, template)

    def get(self, name: TemplateName) -> Template | None:
        with self._lock:
            return self._templates.get(name)

    def all(self) -> Iterator[Template]:
        with self._lock:
            return iter(list(self._templates.values()))


class Audit:
    """`mesh.ports.Audit` in memory."""

    def __init__(self) -> None:
        self._logs: defaultdict[str, list[AuditEntry]] = defaultdict(list)
        self._intents: defaultdict[str, dict[str, Intent]] = defaultdict(dict)
        self._lock = threading.RLock()

    def append(self, deed: Deed) -> AuditEntry:
        with self._lock:
            log = self._logs[deed.log]
            log.append(following(log[-1] if log else None, deed))
            return log[-1]

    def entries(self, log: str, *, limit: int) -> Sequence[AuditEntry]:
        with self._lock:
            return self._logs[log][::-1][:limit]

    def begin(self, intent: Intent) -> Intent:
        with self._lock:
            return self._intents[intent.deed.log].setdefault(intent.key, intent)

    def conclude(self, intent: Intent, deed: Deed) -> AuditEntry | None:
        with self._lock:
            known = self._intents[deed.log].get(intent.key)
            if known is None or known.id != intent.id:
                return None
            del self._intents[deed.log][intent.key]
            return self.append(deed)

    def withdraw(self, intent: Intent) -> None:
        with self._lock:
            self._intents[intent.deed.log].pop(intent.key, None)

    def count(self, intent: Intent) -> None:
        with self._lock:
            known = self._intents[intent.deed.log].get(intent.key)
            if known is not None:
                counted = replace(known, count=known.count + 1)
                self._intents[intent.deed.log][intent.key] = counted

    def intents(self, log: str) -> Sequence[Intent]:
        with self._lock:
            return [one for _, one in sorted(self._intents[log].items())]


class Subscriptions:
    """`mesh.ports.Subscriptions` in memory.

    Attributes:
        looked_at: how many `wanting` looked at, in all.
    """

    def __init__(self) -> None:
        self.looked_at = 0
        self._subscriptions: dict[tuple[ProductId, str], Subscription] = {}
        self._interested: dict[tuple[ProductId, Interest], set[str]] = {}
        self._ended: dict[tuple[ProductId, str], Ended] = {}
        self._lock = threading.Lock()

    def add(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions[subscription.product, subscription.id] = subscription
            for interest in interests(subscription.filter):
                under = self._interested.setdefault((subscription.product, interest), set())
                under.add(subscription.id)

    def change(
        self,
        product: ProductId,
        subscription: str,
        decide: Callable[[Subscription], Subscription],
    ) -> Subscription | None:
        with self._lock:
            found = self._subscriptions.get((product, subscription))
            if found is not None:
                found = self._subscriptions[product, subscription] = decide(found)
            return found

    def get(self, product: ProductId, subscription: str) -> Subscription | None:
        with self._lock:
            return self._subscriptions.get((product, subscription))

    def of_product(self, product: ProductId) -> Sequence[Subscription]:
        with self._lock:
            keys = sorted(key for key in self._subscriptions if key[0] == product)
            return [self._subscriptions[key] for key in keys]

    def wanting(self, event: ReceivedEvent) -> Sequence[Subscription]:
        with self._lock:
            places = [(event.product, interest) for interest in of_event(event)]
            found = set().union(*(self._interested.get(place, ()) for place in places))
            self.looked_at += len(found)
            return [self._subscriptions[event.product, key] for key in sorted(found)]

    def remove(self, product: ProductId, subscription: str) -> None:
        with self._lock:
            known = self._subscriptions.pop((product, subscription), None)
            if known is not None:
                self._ended[product, subscription] = Ended.of(known)
            for interest in () if known is None else interests(known.filter):
                self._interested[product, interest].discard(subscription)

    def ended(self, product: ProductId, subscription: str) -> Ended | None:
        with self._lock:
            return self._ended.get((product, subscription))


class Claims:
    """`mesh.ports.Claims` in memory."""

    def __init__(self) -> None:
        self._claims: dict[tuple[str, Channel, str], Claim] = {}
        self._lock = threading.Lock()

    def get(self, domain: str, channel: Channel, resource: str) -> Claim | None:
        with self._lock:
            return self._claims.get((domain, channel, resource))

    def change(
        self, domain: str, channel: Channel, resource: str, decide: Callable[[Claim], Claim]
    ) -> Claim:
        key = (domain, channel, resource)
        with self._lock:
            found = self._claims.get(key)
            if found is None:
                found = Claim(domain=domain, channel=channel, resource=resource)
            changed = decide(found)
            if changed != found:
                self._claims[key] = changed
            return changed


_Attempts = dict[tuple[int, int], RecordedAttempt]
"""By round and number."""


class Deliveries:
    """`mesh.ports.Deliveries` in memory."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[ProductId, int, str], _Attempts] = {}
        self._lock = threading.Lock()

    def get(self, product: ProductId, sequence: int, subscription: str) -> Delivery | None:
        with self._lock:
            attempts = self._attempts.get((product, sequence, subscription))
            return None if attempts is None else _delivery(attempts)

    def record(self, attempt: RecordedAttempt) -> None:
        with self._lock:
            key = (attempt.product, attempt.sequence, attempt.subscription)
            self._attempts.setdefault(key, {})[attempt.round, attempt.number] = attempt

    def of_event(self, product: ProductId, sequence: int) -> Sequence[Delivery]:
        with self._lock:
            keys = sorted(key for key in self._attempts if key[:2] == (product, sequence))
            return [_delivery(self._attempts[key]) for key in keys]


def _delivery(attempts: _Attempts) -> Delivery:
    ordered = tuple(attempts[key] for key in sorted(attempts))
    return Delivery(
        subscription=ordered[0].subscription,
        subscriber=ordered[0].subscriber,
        channel=ordered[0].channel,
        attempts=ordered,
    )
