"""Pull subscribers' subscriptions of the Service Bus topic `product-events`.

The broker filters, by the rules that `mesh.model.broker_rules` makes of a subscriber's filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from mesh.azure.clients import Clients
from mesh.azure.failures import unavailable
from mesh.model.broker_rules import Rule, rules_for
from mesh.model.names import ProductId
from mesh.model.subscription import Filter

if TYPE_CHECKING:
    from azure.servicebus.management import (
        CorrelationRuleFilter,
        ServiceBusAdministrationClient,
        SqlRuleFilter,
    )

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
        rules = rules_for(product, wanted)
        with unavailable(f"Creating the subscription {name} of the topic {TOPIC}"):
            admin = self._clients.administration()
            with suppress(ResourceExistsError):
                admin.create_subscription(TOPIC, name, **SETTINGS)
            self._reconcile(admin, name, rules)

    def delete(self, name: str) -> None:
        doing = f"Deleting the subscription {name} of the topic {TOPIC}"
        with unavailable(doing), suppress(ResourceNotFoundError):
            self._clients.administration().delete_subscription(TOPIC, name)

    def _reconcile(
        self, admin: ServiceBusAdministrationClient, name: str, rules: Mapping[str, Rule]
    ) -> None:
        """Leave just these rules; those that are missing come before others go."""
        existing = {rule.name: rule for rule in admin.list_rules(TOPIC, name)}
        for rule, compared in rules.items():
            found, wanted = existing.get(rule), _as_filter(compared)
            if found is None:
                with suppress(ResourceExistsError):  # somebody does the same at the same time
                    admin.create_rule(TOPIC, name, rule, filter=wanted)
            elif _as_rule(found.filter) != _as_rule(wanted):
                found.filter = wanted
                admin.update_rule(TOPIC, name, found)
        for rule in existing.keys() - rules.keys():
            with suppress(ResourceNotFoundError):  # likewise
                admin.delete_rule(TOPIC, name, rule)


def _as_filter(rule: Rule) -> CorrelationRuleFilter | SqlRuleFilter:
    from azure.servicebus.management import CorrelationRuleFilter, SqlRuleFilter

    if isinstance(rule, str):
        return SqlRuleFilter(rule)
    return CorrelationRuleFilter(properties=dict(rule))


def _as_rule(found: object) -> object:
    """What a filter compares, whatever the service adds to it."""
    sql = getattr(found, "sql_expression", None)
    return vars(found) if sql is None else sql
