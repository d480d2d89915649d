"""Entities at work: queues, topics and subscriptions with their mailboxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from local.service_bus.core.deadlines import Deadlines
from local.service_bus.core.delivery import Policy, Surroundings
from local.service_bus.core.entities import (
    QueueSpec,
    RuleSpec,
    Spec,
    SubscriptionSpec,
    TopicSpec,
    subscription_path,
)
from local.service_bus.core.errors import EntityNotFoundError, NotAllowedError
from local.service_bus.core.journal import Journal
from local.service_bus.core.mailbox import Mailbox
from local.service_bus.core.rules import Rule
from local.service_bus.core.sessions import SessionMailbox

DEAD_LETTERS = "$deadletterqueue"
TRANSFER_DEAD_LETTERS = "$transfer/$deadletterqueue"

_RESERVED_AT_ONCE = 1024


class Counter:
    """Sequence numbers of an entity. They are reserved in blocks, so a restart may leave a gap."""

    def __init__(self, journal: Journal, box: int) -> None:
        self._journal, self._box = journal, box
        self._last = self._reserved = journal.reserved(box)

    def next(self) -> int:
        """Give the next number."""
        self._last += 1
        if self._last > self._reserved:
            self._reserved = self._last + _RESERVED_AT_ONCE
            self._journal.reserve(self._box, self._reserved)
        return self._last

    def close(self) -> None:
        """Give back what was reserved and not used."""
        self._journal.reserve(self._box, self._last)


class DuplicateWindow:
    """Message ids seen within a time."""

    def __init__(self, journal: Journal, box: int, window: float) -> None:
        self._journal, self._box = journal, box
        self.window = window
        self._seen: Deadlines[str] = Deadlines()
        for message_id, until in journal.remembered(box):
            self._seen.set(message_id, until)

    def seen(self, message_id: str, now: float) -> bool:
        """Say whether the id came before, and remember it from now on."""
        if sum(1 for _ in self._seen.pop_due(now)):
            self._journal.forget(self._box, now)
        if message_id in self._seen:
            return True
        self._seen.set(message_id, now + self.window)
        self._journal.remember(self._box, message_id, now + self.window)
        return False


class Holder:
    """What queues and subscriptions share: a mailbox, its dead letters, sequence numbers."""

    def __init__(self, path: str, spec: QueueSpec | SubscriptionSpec, around: Surroundings) -> None:
        self.path = path
        self.created_at = self.updated_at = around.clock()
        self._around = around
        journal = around.journal
        box, dead_box = journal.open_box(path), journal.open_box(f"{path}/{DEAD_LETTERS}")
        self.counter = Counter(journal, box)
        kind = SessionMailbox if spec.requires_session else Mailbox
        self.mailbox = kind(box, _policy(spec), around)
        bare = replace(around, bury=None, due=None)
        self.dead_letters = Mailbox(dead_box, _dead_policy(spec), bare)
        transfer_box = journal.open_box(f"{path}/{TRANSFER_DEAD_LETTERS}")
        self.transfer_dead_letters = Mailbox(transfer_box, _dead_policy(spec), bare)

    def apply_policy(self, spec: QueueSpec | SubscriptionSpec) -> None:
        """Take over changed properties."""
        self.mailbox.policy = _policy(spec)
        self.dead_letters.policy = _dead_policy(spec)

    def restore(self) -> None:
        """Take in what the journal has."""
        journal = self._around.journal
        if isinstance(self.mailbox, SessionMailbox):
            self.mailbox.restore(journal.sessions(self.mailbox.box))
        for mailbox in (self.mailbox, self.dead_letters):
            for message in journal.messages(mailbox.box):
                mailbox.put(message)

    def mailboxes(self) -> tuple[Mailbox, ...]:
        """Give the mailboxes: messages, dead letters, and the empty one for transfers."""
        return self.mailbox, self.dead_letters, self.transfer_dead_letters

    @property
    def size(self) -> int:
        """Bytes of all messages, dead letters included."""
        return self.mailbox.size + self.dead_letters.size


def _policy(spec: QueueSpec | SubscriptionSpec) -> Policy:
    return Policy(
        lock_duration=spec.lock_duration,
        max_delivery_count=spec.max_delivery_count,
        dead_letter_expired=spec.dead_lettering_on_message_expiration,
    )


def _dead_policy(spec: QueueSpec | SubscriptionSpec) -> Policy:
    return Policy(lock_duration=spec.lock_duration, max_delivery_count=None)


class Queue(Holder):
    """A queue."""

    kind = "Queue"

    def __init__(self, spec: QueueSpec, around: Surroundings) -> None:
        super().__init__(spec.name, spec, around)
        self.spec = spec
        self.declared: Spec | None = None
        self.duplicates = _duplicates(spec, around.journal, self.mailbox.box)

    def update(self, spec: QueueSpec) -> None:
        """Take over changed properties."""
        self.spec = spec
        self.apply_policy(spec)
        if self.duplicates:
            self.duplicates.window = spec.duplicate_detection_history_time_window


class Subscription(Holder):
    """A subscription with its rules."""

    kind = "Subscription"

    def __init__(self, spec: SubscriptionSpec, around: Surroundings) -> None:
        super().__init__(spec.path, spec, around)
        self.spec = spec
        self.declared: Spec | None = None
        self.declared_rules: tuple[RuleSpec, ...] | None = None
        self.rules: dict[str, Rule] = {}

    def update(self, spec: SubscriptionSpec) -> None:
        """Take over changed properties."""
        self.spec = spec
        self.apply_policy(spec)


class Topic:
    """A topic: its subscriptions, and messages scheduled for later."""

    kind = "Topic"

    def __init__(self, spec: TopicSpec, around: Surroundings) -> None:
        self.path = spec.name
        self.spec = spec
        self.declared: Spec | None = None
        self.created_at = self.updated_at = around.clock()
        box = around.journal.open_box(spec.name)
        self.counter = Counter(around.journal, box)
        self.mailbox = Mailbox(box, Policy(lock_duration=1.0, max_delivery_count=None), around)
        self.duplicates = _duplicates(spec, around.journal, box)
        self.subscriptions: dict[str, Subscription] = {}
        self._journal = around.journal

    def update(self, spec: TopicSpec) -> None:
        """Take over changed properties."""
        self.spec = spec
        if self.duplicates:
            self.duplicates.window = spec.duplicate_detection_history_time_window

    def restore(self) -> None:
        """Take in the scheduled messages that the journal has."""
        for message in self._journal.messages(self.mailbox.box):
            self.mailbox.put(message)

    def mailboxes(self) -> tuple[Mailbox, ...]:
        """Give the mailbox that holds scheduled messages."""
        return (self.mailbox,)

    @property
    def size(self) -> int:
        """Bytes of all messages in the topic and its subscriptions."""
        held = sum(subscription.size for subscription in self.subscriptions.values())
        return self.mailbox.size + held


Entity = Queue | Topic | Subscription


def _duplicates(spec: QueueSpec | TopicSpec, journal: Journal, box: int) -> DuplicateWindow | None:
    if not spec.requires_duplicate_detection:
        return None
    return DuplicateWindow(journal, box, spec.duplicate_detection_history_time_window)


class Directory:
    """All entities by address; addresses are case-insensitive."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.topics: dict[str, Topic] = {}

    def __iter__(self) -> Iterator[Entity]:
        yield from list(self.queues.values())
        for topic in list(self.topics.values()):
            yield topic
            yield from list(topic.subscriptions.values())

    def named(self, path: str) -> Queue | Topic | None:
        """Find a queue or topic."""
        key = path.lower()
        return self.queues.get(key) or self.topics.get(key)

    def entity(self, path: str) -> Entity:
        """Find a queue, topic or subscription.

        Raises:
            EntityNotFoundError: nothing is there.
        """
        found: Entity | None = self.named(path)
        if found is None:
            topic, _, name = path.lower().partition("/subscriptions/")
            if topic in self.topics:
                found = self.topics[topic].subscriptions.get(name)
        if found is None:
            raise EntityNotFoundError.at(path)
        return found

    def subscription(self, topic: str, name: str) -> Subscription:
        """Find a subscription.

        Raises:
            EntityNotFoundError: there is no such topic or subscription.
        """
        found = self.entity(subscription_path(topic, name))
        assert isinstance(found, Subscription)
        return found

    def receivable(self, address: str) -> tuple[Queue | Subscription, Mailbox]:
        """Find what an address lets one receive from: a mailbox, or dead letters.

        Raises:
            EntityNotFoundError: nothing is there.
            NotAllowedError: it is a topic.
        """
        for suffix in (TRANSFER_DEAD_LETTERS, DEAD_LETTERS):
            if address.lower().endswith("/" + suffix):
                entity = self._holder(address[: -len(suffix) - 1])
                if suffix == DEAD_LETTERS:
                    return entity, entity.dead_letters
                return entity, entity.transfer_dead_letters
        entity = self._holder(address)
        return entity, entity.mailbox

    def _holder(self, path: str) -> Queue | Subscription:
        entity = self.entity(path)
        if isinstance(entity, Topic):
            text = f"Cannot receive from the topic '{path}': receive from one of its subscriptions."
            raise NotAllowedError(text)
        return entity

    def sendable(self, path: str) -> Queue | Topic:
        """Find what an address lets one send to.

        Raises:
            EntityNotFoundError: nothing is there.
            NotAllowedError: it is a subscription or a dead-letter queue.
        """
        found = self.named(path)
        if found is not None:
            return found
        self.receivable(path)
        text = f"Cannot send to '{path}': messages are sent to queues and topics."
        raise NotAllowedError(text)
