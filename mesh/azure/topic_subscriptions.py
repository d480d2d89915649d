"""Pull subscribers' subscriptions of the Service Bus topic `product-events`.

The broker filters, with correlation filters: they compare application properties with values, cost
the broker least, and there may be many. Event Grid sets those properties (`infra/event-grid.json`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import product as combinations
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from mesh.azure.clients import Clients
from mesh.azure.failures import unavailable
from mesh.model.names import ProductId
from mesh.model.subscription import Filter

if TYPE_CHECKING:
    from azure.servicebus.management import ServiceBusAdministrationClient

TOPIC = "product-events"

SETTINGS: Mapping[str, Any] = {
    "lock_duration": timedelta(minutes=1),
    "max_delivery_count": 10,
    "default_message_time_to_live": timedelta(days=14),
    "dead_lettering_on_message_expiration": True,
}
"""Those of every subscription: a subscriber has two weeks to come back."""


class TopicSubscriptions:
    """`mesh.ports.PullSubscriptions` on Service Bus.

    A new subscription has a rule of the broker's own that lets everything through, until ours are
    there and it is removed. An event of another product that passes just then is delivered: the
    SDK offers no way to create a subscription with its rules.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def create(self, name: str, *, product: ProductId, wanted: Filter) -> None:
        with unavailable(f"Creating the subscription {name} of the topic {TOPIC}"):
            admin = self._clients.administration()
            with suppress(ResourceExistsError):
                admin.create_subscription(TOPIC, name, **SETTINGS)
            self._reconcile(admin, name, rules_for(product, wanted))

    def delete(self, name: str) -> None:
        doing = f"Deleting the subscription {name} of the topic {TOPIC}"
        with unavailable(doing), suppress(ResourceNotFoundError):
            self._clients.administration().delete_subscription(TOPIC, name)

    def _reconcile(
        self,
        admin: ServiceBusAdministrationClient,
        name: str,
        rules: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Leave just these rules; those that are missing come before others go."""
        from azure.servicebus.management import CorrelationRuleFilter

        existing = {rule.name: rule for rule in admin.list_rules(TOPIC, name)}
        for rule, properties in rules.items():
            found, wanted = existing.get(rule), CorrelationRuleFilter(properties=dict(properties))
            if found is None:
                with suppress(ResourceExistsError):  # somebody does the same at the same time
                    admin.create_rule(TOPIC, name, rule, filter=wanted)
            elif vars(found.filter) != vars(wanted):
                found.filter = wanted
                admin.update_rule(TOPIC, name, found)
        for rule in existing.keys() - rules.keys():
            with suppress(ResourceNotFoundError):  # likewise
                admin.delete_rule(TOPIC, name, rule)


def rules_for(product: ProductId, wanted: Filter) -> dict[str, dict[str, str]]:
    """The properties that each rule compares, by the rule's name, which is derived from them.

    One rule for each type with each object, since a correlation filter knows no "or".
    """
    rules: dict[str, dict[str, str]] = {}
    types: list[str | None] = [*sorted(wanted.types)] or [None]
    objects: list[str | None] = [*sorted(wanted.objects)] or [None]
    for event_type, object_name in combinations(types, objects):
        properties = {"domain": product.domain, "product": product.product}
        if event_type is not None:
            properties["meshtype"] = event_type
        if object_name is not None:
            properties["object"] = object_name
        digest = hashlib.sha256(json.dumps(properties).encode()).hexdigest()[:20]
        rules[f"mesh-{digest}"] = properties
    return rules
