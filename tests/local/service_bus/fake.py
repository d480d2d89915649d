"""A namespace on a clock that only tests move, and receivers that remember."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from local.service_bus.amqp.codec import SectionsCodec
from local.service_bus.amqp.encoding import described, encode
from local.service_bus.amqp.sections import ANNOTATIONS, DATA, PROPERTIES
from local.service_bus.amqp.types import Symbol, Timestamp
from local.service_bus.core.entities import QueueSpec, RuleSpec, SubscriptionSpec, TopicSpec
from local.service_bus.core.errors import BrokerError
from local.service_bus.core.journal import Journal
from local.service_bus.core.mailbox import Mailbox
from local.service_bus.core.message import Content, Message
from local.service_bus.core.namespace import Namespace
from local.service_bus.core.queues import Queue, Subscription, Topic

START = 1_800_000_000.0
CODEC = SectionsCodec()


@dataclass(eq=False)
class Receiver:
    """A consumer with credit that keeps what it gets."""

    name: str = "receiver"
    settles: bool = True
    left: int = 0
    got: list[Message] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    errors: list[BrokerError] = field(default_factory=list)

    def credit(self) -> int:
        return self.left

    def deliver(self, message: Message) -> None:
        self.left -= 1
        self.got.append(message)
        if message.token is not None:
            self.tokens.append(message.token)

    def session_accepted(self, session_id: str, locked_until: float) -> None:
        assert locked_until > 0
        self.sessions.append(session_id)

    def lost(self, error: BrokerError) -> None:
        self.errors.append(error)

    def bodies(self) -> list[str]:
        return [body(message.content) for message in self.got]


def content(text: str = "", **fields: Any) -> Content:
    """Give a content as a sender's message would be read; `user` are application properties."""
    properties: list[Any] = [None] * 13
    names = {
        "message_id": 0,
        "to": 2,
        "subject": 3,
        "reply_to": 4,
        "correlation_id": 5,
        "content_type": 6,
        "session_id": 10,
        "reply_to_session_id": 12,
    }
    for name, index in names.items():
        properties[index] = fields.get(name)
    encoded = described(PROPERTIES, encode(properties))
    if "user" in fields:
        encoded += described(0x74, encode(dict(fields["user"])))
    encoded += described(DATA, encode(text.encode()))
    annotations: dict[Any, Any] = {}
    if "scheduled_at" in fields:
        at = Timestamp(round(fields["scheduled_at"] * 1000))
        annotations[Symbol("x-opt-scheduled-enqueue-time")] = at
    if "partition_key" in fields:
        annotations[Symbol("x-opt-partition-key")] = fields["partition_key"]
    if annotations:
        encoded = described(ANNOTATIONS, encode(annotations)) + encoded
    read = CODEC.decode(encoded)
    if "time_to_live" in fields:
        read = replace(read, time_to_live=fields["time_to_live"])
    return read


def body(given: Content) -> str:
    """Give the text of a content made by `content`."""
    tail: bytes = given.wire.tail
    return tail[tail.rindex(b"\x00\x53\x75") + 5 :].decode()


class Bench:
    """A namespace and the hands to work it."""

    def __init__(self, make_journal: Callable[[Callable[[Any], Any]], Journal] = Journal) -> None:
        self.now = START
        self._due: list[Callable[[], None]] = []
        self.journal = make_journal(self._due.append)
        self.namespace = self._namespace()

    def _namespace(self) -> Namespace:
        return Namespace(
            clock=lambda: self.now, journal=self.journal, codec=CODEC, alarm=lambda _when: None
        )

    def settle(self) -> None:
        """Run everything that waits for the next turn of the event loop."""
        while self._due:
            self._due.pop(0)()

    def advance(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        end = self.now + seconds
        while (due := self.namespace.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.namespace.run_due()
            self.settle()
        self.now = end
        self.settle()

    def queue(self, name: str = "q", **fields: Any) -> Queue:
        return self.namespace.create_queue(QueueSpec(name=name, **fields))

    def topic(self, name: str = "t", **fields: Any) -> Topic:
        return self.namespace.create_topic(TopicSpec(name=name, **fields))

    def subscription(self, name: str, *rules: RuleSpec, **fields: Any) -> Subscription:
        spec = SubscriptionSpec(topic=fields.pop("topic", "t"), name=name, **fields)
        return self.namespace.create_subscription(spec, *rules)

    def send(self, path: str, *texts: str, **fields: Any) -> None:
        target = self.namespace.directory.sendable(path)
        self.namespace.router.send(target, [content(text, **fields) for text in texts])
        self.settle()

    def receive(self, mailbox: Mailbox, count: int = 1, **fields: Any) -> Receiver:
        """Attach a receiver with credit and let it have what is there."""
        receiver = Receiver(left=count, **fields)
        mailbox.attach(receiver)
        self.settle()
        return receiver

    def take(self, mailbox: Mailbox, count: int = 1) -> Receiver:
        """Receive, and leave."""
        receiver = self.receive(mailbox, count)
        mailbox.detach(receiver)
        return receiver
