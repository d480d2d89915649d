"""Bringing a namespace back from its journal."""

from __future__ import annotations

from local.service_bus.core.entities import QueueSpec, SubscriptionSpec, TopicSpec
from local.service_bus.core.namespace import Namespace
from local.service_bus.core.queues import Entity, Queue, Subscription, Topic
from local.service_bus.core.rules import compile_rule
from local.service_bus.core.specs_json import StoredSpecs, from_json


def restore(namespace: Namespace) -> None:
    """Take in the entities and messages that the journal has."""
    for stored in namespace.journal.entities():
        kept = from_json(stored)
        entity = _entity(namespace, kept)
        entity.created_at, entity.updated_at = kept.created_at, kept.updated_at
    for entity in namespace.directory:
        entity.restore()


def _entity(namespace: Namespace, kept: StoredSpecs) -> Entity:
    spec, directory = kept.spec, namespace.directory
    if isinstance(spec, QueueSpec):
        queue = Queue(spec, namespace.around(spec.name))
        queue.declared = kept.declared if isinstance(kept.declared, QueueSpec) else None
        directory.queues[spec.name.lower()] = queue
        return queue
    if isinstance(spec, TopicSpec):
        topic = Topic(spec, namespace.around(spec.name))
        topic.declared = kept.declared if isinstance(kept.declared, TopicSpec) else None
        directory.topics[spec.name.lower()] = topic
        return topic
    subscription = Subscription(spec, namespace.around(spec.path))
    if isinstance(kept.declared, SubscriptionSpec):
        subscription.declared = kept.declared
        subscription.declared_rules = kept.declared_rules
    subscription.rules = {rule.name.lower(): compile_rule(rule) for rule in kept.rules}
    directory.topics[spec.topic.lower()].subscriptions[spec.name.lower()] = subscription
    return subscription
