"""The namespace: makes, changes, removes and restores entities, and keeps time for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from local.service_bus.core import entities as limits
from local.service_bus.core.delivery import Surroundings
from local.service_bus.core.entities import (
    DEFAULT_RULE,
    QueueSpec,
    RuleSpec,
    SubscriptionSpec,
    TopicSpec,
    check,
    check_change,
)
from local.service_bus.core.errors import (
    EntityDisabledError,
    EntityExistsError,
    EntityNotFoundError,
    InvalidArgumentError,
    QuotaExceededError,
)
from local.service_bus.core.journal import Journal, StoredEntity
from local.service_bus.core.message import Changes, ContentCodec, Message
from local.service_bus.core.queues import Directory, Entity, Queue, Subscription, Topic
from local.service_bus.core.routing import Router, check_enabled
from local.service_bus.core.rules import compile_rule
from local.service_bus.core.specs_json import declared_json, spec_json

Clock = Callable[[], float]
Alarm = Callable[[float], None]
"""Asks for `run_due` at a time; earlier calls stay valid."""


class Namespace:
    """All entities of one Service Bus, and the operations on them.

    `clock` gives seconds since the epoch; nothing else tells the time.
    """

    def __init__(
        self, *, clock: Clock, journal: Journal, codec: ContentCodec, alarm: Alarm
    ) -> None:
        self.clock, self.journal = clock, journal
        self.directory = Directory()
        self.router = Router(self.directory, journal, codec, clock)
        self._codec, self._alarm = codec, alarm

    def around(self, path: str) -> Surroundings:
        """Give what the mailboxes of an entity need."""
        return Surroundings(
            clock=self.clock,
            alarm=self._alarm,
            journal=self.journal,
            codec=self._codec,
            bury=partial(self._bury, path),
            due=partial(self.router.due, path),
        )

    def _bury(
        self, path: str, message: Message, reason: str, description: str, changes: Changes
    ) -> None:
        holder = self.directory.entity(path)
        assert not isinstance(holder, Topic)
        self.router.bury(holder, message, reason, description, changes)

    # Making

    def create_queue(self, spec: QueueSpec) -> Queue:
        """Make a queue.

        Raises:
            EntityExistsError: a queue or topic has this name.
            InvalidArgumentError: the description is not valid, or forwards to nowhere.
            QuotaExceededError: there are too many entities.
        """
        self._check_new(spec)
        self._check_forwarding(spec)
        queue = Queue(spec, self.around(spec.name))
        self.directory.queues[spec.name.lower()] = queue
        self.save(queue)
        return queue

    def create_topic(self, spec: TopicSpec) -> Topic:
        """Make a topic.

        Raises:
            BrokerError: as `create_queue`.
        """
        self._check_new(spec)
        topic = Topic(spec, self.around(spec.name))
        self.directory.topics[spec.name.lower()] = topic
        self.save(topic)
        return topic

    def create_subscription(self, spec: SubscriptionSpec, *rules: RuleSpec) -> Subscription:
        """Make a subscription with these rules, or else with the rule that matches everything.

        Raises:
            EntityNotFoundError: there is no such topic.
            BrokerError: as `create_queue`; or a rule is not valid.
        """
        check(spec)
        topic = self.directory.named(spec.topic)
        if not isinstance(topic, Topic):
            raise EntityNotFoundError.at(spec.topic)
        if spec.name.lower() in topic.subscriptions:
            raise _exists(spec.path)
        if len(topic.subscriptions) >= limits.MOST_SUBSCRIPTIONS:
            raise QuotaExceededError(
                f"The topic '{topic.path}' has {limits.MOST_SUBSCRIPTIONS} subscriptions already."
            )
        self._check_forwarding(spec)
        spec = replace(spec, topic=topic.path)
        given = rules or (RuleSpec(name=DEFAULT_RULE),)
        compiled = [compile_rule(self._dated(rule)) for rule in given]
        subscription = Subscription(spec, self.around(spec.path))
        subscription.rules = {rule.spec.name.lower(): rule for rule in compiled}
        topic.subscriptions[spec.name.lower()] = subscription
        self.save(subscription)
        return subscription

    def _check_new(self, spec: QueueSpec | TopicSpec) -> None:
        check(spec)
        if self.directory.named(spec.name) is not None:
            raise _exists(spec.name)
        count = len(self.directory.queues) + len(self.directory.topics)
        if count >= limits.MOST_ENTITIES:
            raise QuotaExceededError(f"The namespace has {count} queues and topics already.")

    def _check_forwarding(self, spec: QueueSpec | SubscriptionSpec) -> None:
        own = spec.path if isinstance(spec, SubscriptionSpec) else spec.name
        for name in ("forward_to", "forward_dead_lettered_messages_to"):
            destination = getattr(spec, name)
            if destination is None:
                continue
            if destination.lower() == own.lower():
                raise InvalidArgumentError(f"{name} of '{own}' leads to itself.")
            if self.directory.named(destination) is None:
                message = f"{name} of '{own}' leads to '{destination}', which does not exist."
                raise InvalidArgumentError(message)

    def _dated(self, rule: RuleSpec) -> RuleSpec:
        return rule if rule.created_at else replace(rule, created_at=self.clock())

    # Changing

    def update(self, spec: QueueSpec | TopicSpec | SubscriptionSpec) -> Entity:
        """Change an entity to this description.

        Raises:
            EntityNotFoundError: there is none.
            InvalidArgumentError: the description is not valid, or changes what cannot change.
        """
        check(spec)
        path = spec.path if isinstance(spec, SubscriptionSpec) else spec.name
        entity = self.directory.entity(path)
        check_change(entity.spec, spec)
        if isinstance(entity, Queue) and isinstance(spec, QueueSpec):
            self._check_forwarding(spec)
            entity.update(spec)
        elif isinstance(entity, Subscription) and isinstance(spec, SubscriptionSpec):
            self._check_forwarding(spec)
            entity.update(replace(spec, topic=entity.spec.topic))
        elif isinstance(entity, Topic) and isinstance(spec, TopicSpec):
            entity.update(spec)
        else:
            raise InvalidArgumentError(f"'{path}' is a {entity.kind.lower()}.")
        entity.updated_at = self.clock()
        self.save(entity)
        if not isinstance(entity, Topic):
            _dismiss_if_disabled(entity)
            self.router.forward_waiting(entity)
        return entity

    def put_rule(self, subscription: Subscription, rule: RuleSpec, *, replacing: bool) -> RuleSpec:
        """Add a rule, or replace one.

        Raises:
            EntityExistsError, EntityNotFoundError: the rule is there, or is not.
            InvalidArgumentError: the rule is not valid.
            QuotaExceededError: there are too many rules.
        """
        key = rule.name.lower()
        old = subscription.rules.get(key)
        path = f"{subscription.path}/Rules/{rule.name}"
        if old is None and replacing:
            raise EntityNotFoundError.at(path)
        if old is not None and not replacing:
            raise _exists(path)
        if old is None and len(subscription.rules) >= limits.MOST_RULES:
            text = f"'{subscription.path}' has {limits.MOST_RULES} rules already."
            raise QuotaExceededError(text)
        created = self.clock() if old is None else old.spec.created_at
        compiled = compile_rule(replace(rule, created_at=created))
        subscription.rules[key] = compiled
        self.save(subscription)
        return compiled.spec

    def delete_rule(self, subscription: Subscription, name: str) -> None:
        """Remove a rule.

        Raises:
            EntityNotFoundError: there is none.
        """
        if subscription.rules.pop(name.lower(), None) is None:
            raise EntityNotFoundError.at(f"{subscription.path}/Rules/{name}")
        self.save(subscription)

    def delete(self, entity: Entity) -> None:
        """Remove an entity with its messages; its receivers learn of it."""
        if isinstance(entity, Topic):
            for subscription in list(entity.subscriptions.values()):
                self.delete(subscription)
            del self.directory.topics[entity.path.lower()]
        elif isinstance(entity, Subscription):
            topic = self.directory.named(entity.spec.topic)
            assert isinstance(topic, Topic)
            del topic.subscriptions[entity.spec.name.lower()]
        else:
            del self.directory.queues[entity.path.lower()]
        gone = EntityNotFoundError.at(entity.path)
        for mailbox in entity.mailboxes():
            for consumer in mailbox.consumers():
                consumer.lost(gone)
            self.journal.delete_box(mailbox.box)
        self.journal.delete_entity(entity.path)

    # Keeping

    def save(self, entity: Entity) -> None:
        """Record an entity's description."""
        stored = StoredEntity(
            path=entity.path,
            spec=spec_json(entity),
            declared=declared_json(entity),
            created_at=entity.created_at,
            updated_at=entity.updated_at,
        )
        self.journal.save_entity(stored)

    # Time

    def next_deadline(self) -> float | None:
        """Give the time when `run_due` has work, if any."""
        times = (
            mailbox.next_deadline() for entity in self.directory for mailbox in entity.mailboxes()
        )
        idle = (_idle_end(entity) for entity in self.directory)
        return min((when for when in (*times, *idle) if when is not None), default=None)

    def run_due(self) -> None:
        """Do what time has brought: locks, lifetimes, schedules, idle entities."""
        now = self.clock()
        for entity in self.directory:
            for mailbox in entity.mailboxes():
                mailbox.run_due(now)
            end = _idle_end(entity)
            if end is not None and end <= now:
                self.delete(entity)

    def close(self) -> None:
        """Record what is kept in memory only."""
        for entity in self.directory:
            entity.counter.close()


def _idle_end(entity: Entity) -> float | None:
    """Give the time when an entity that nobody used is to be removed."""
    idle = entity.spec.auto_delete_on_idle
    if idle is None or (not isinstance(entity, Topic) and entity.spec.forward_to):
        return None
    if any(mailbox.consumers() for mailbox in entity.mailboxes()):
        return None
    return max(entity.updated_at, *(used.accessed_at for used in entity.mailboxes())) + idle


def _dismiss_if_disabled(entity: Queue | Subscription) -> None:
    """Tell receivers of an entity whose status forbids receiving."""
    try:
        check_enabled(entity, "ReceiveDisabled")
    except EntityDisabledError as disabled:
        for mailbox in entity.mailboxes():
            for consumer in mailbox.consumers():
                consumer.lost(disabled)


def _exists(path: str) -> EntityExistsError:
    return EntityExistsError(f"The messaging entity '{path}' exists already.")
