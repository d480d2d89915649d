"""Everything a verb needs of the world, in one value that is handed to it.

Only handlers and the `mesh` command call `backbone()`; a verb takes a `Backbone` as its argument.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import mesh
from mesh.model.rate import Buckets
from mesh.settings import Settings

if TYPE_CHECKING:
    from mesh.azure.clients import Clients
    from mesh.model.policy import Policy
    from mesh.ports import (
        Asides,
        Audit,
        Catalogue,
        Claims,
        DeadLetters,
        Deliveries,
        Destinations,
        Onboardings,
        PullSubscriptions,
        Queues,
        Registry,
        Storage,
        Subscriptions,
        Templates,
        Topic,
        Webhooks,
    )
    from mesh.webhooks.secrets import SigningSecrets

POLICY_FILE = Path(__file__).parents[1] / "policy.json"
"""At the app's root, beside `host.json`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backbone:
    """The ports, and what else a verb cannot know by itself.

    Attributes:
        easy_auth: whether the platform has authenticated callers before their calls arrive (App
            Service authentication); when not, nobody is believed who they say they are.
        buckets: how many calls each caller may still make of this instance.
        now: the clock; its times are in UTC and say so.
    """

    registry: Registry
    catalogue: Catalogue
    onboardings: Onboardings
    templates: Templates
    audit: Audit
    subscriptions: Subscriptions
    claims: Claims
    deliveries: Deliveries
    storage: Storage
    topic: Topic
    queues: Queues
    dead_letters: DeadLetters
    pull: PullSubscriptions
    webhooks: Webhooks
    destinations: Destinations
    asides: Asides
    signing: SigningSecrets
    policy: Policy
    easy_auth: bool
    buckets: Buckets
    now: Callable[[], datetime]


_lock = threading.Lock()
_current: Backbone | None = None


def backbone() -> Backbone:
    """The backbone of this process, made from the environment when first asked for.

    Nothing is connected to before it is used.

    Raises:
        MissingSettings: the environment lacks something; the message names all of it.
        ValueError: the policy or the signing key cannot be read.
    """
    global _current  # noqa: PLW0603 - one per process, as the Functions worker offers no other place
    with _lock:
        if _current is None:
            _current = on_azure(Settings.from_environ(os.environ))
        return _current


@contextmanager
def replace_backbone(replacement: Backbone) -> Iterator[Backbone]:
    """Let `backbone()` return another one for a while; for tests of what calls it."""
    global _current  # noqa: PLW0603 - see above
    with _lock:
        before, _current = _current, replacement
    try:
        yield replacement
    finally:
        with _lock:
            _current = before


def on_azure(settings: Settings, *, clients: Clients | None = None) -> Backbone:
    """A backbone on Azure, or on the local Azure; which of them, the settings alone say.

    Args:
        clients: to share with others, and to be closed by whoever made them.
    """
    from mesh.asides import Asides
    from mesh.azure.audit import TableAudit
    from mesh.azure.claims import TableClaims
    from mesh.azure.clients import Clients
    from mesh.azure.dead_letters import ServiceBusDeadLetters
    from mesh.azure.destinations import AzureDestinations
    from mesh.azure.event_grid import EventGridTopic
    from mesh.azure.registry import TableRegistry
    from mesh.azure.service_bus import ServiceBusQueues
    from mesh.azure.storage import BlobStorage
    from mesh.azure.subscriptions import TableSubscriptions
    from mesh.azure.tables import TableCatalogue, TableDeliveries, TableOnboardings, TableTemplates
    from mesh.azure.topic_subscriptions import TopicSubscriptions
    from mesh.webhooks.secrets import SigningSecrets

    clients = clients or Clients(settings)
    policy = _policy()
    return Backbone(
        registry=TableRegistry(clients),
        catalogue=TableCatalogue(clients),
        onboardings=TableOnboardings(clients),
        templates=TableTemplates(clients),
        audit=TableAudit(clients),
        subscriptions=TableSubscriptions(clients),
        claims=TableClaims(clients),
        deliveries=TableDeliveries(clients),
        storage=BlobStorage(clients),
        topic=EventGridTopic(clients),
        queues=ServiceBusQueues(clients),
        dead_letters=ServiceBusDeadLetters(clients),
        pull=TopicSubscriptions(clients),
        webhooks=_webhooks(settings),
        destinations=AzureDestinations(clients),
        asides=Asides(),
        signing=SigningSecrets.from_setting(settings.webhook_signing_key),
        policy=policy,
        easy_auth=settings.easy_auth,
        buckets=Buckets(policy.rate),
        now=_utc_now,
    )


def _webhooks(settings: Settings) -> Webhooks:
    from mesh.webhooks.sender import WebhookSender

    return WebhookSender(
        origin=settings.webhook_origin,
        version=mesh.__version__,
        allow_loopback=settings.allow_loopback_webhooks,
    )


def in_memory(*, now: Callable[[], datetime] | None = None) -> Backbone:
    """A backbone that touches nothing; with `dataclasses.replace`, any port can be another one."""
    from mesh import memory
    from mesh.webhooks.secrets import MASTER_KEY_BYTES, SigningSecrets

    return Backbone(
        registry=memory.Registry(),
        catalogue=memory.Catalogue(),
        onboardings=memory.Onboardings(),
        templates=memory.Templates(),
        audit=memory.Audit(),
        subscriptions=memory.Subscriptions(),
        claims=memory.Claims(),
        deliveries=memory.Deliveries(),
        storage=memory.Storage(),
        topic=memory.Topic(),
        queues=memory.Queues(),
        dead_letters=memory.DeadLetters(),
        pull=memory.PullSubscriptions(),
        webhooks=memory.Webhooks(),
        destinations=memory.Destinations(),
        asides=memory.Asides(),
        signing=SigningSecrets(master_keys=(bytes(MASTER_KEY_BYTES),)),
        policy=_policy(),
        easy_auth=True,
        buckets=Buckets(_policy().rate),
        now=now or _utc_now,
    )


def _policy() -> Policy:
    from mesh.model.policy import Policy

    return Policy.from_data(json.loads(POLICY_FILE.read_text(encoding="utf-8")))


def _utc_now() -> datetime:
    return datetime.now(UTC)
