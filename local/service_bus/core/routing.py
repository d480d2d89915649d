"""The way of a message: admission, duplicates, schedule, fan-out, forwarding, dead letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from local.service_bus.core.errors import (
    BrokerError,
    EntityDisabledError,
    InvalidArgumentError,
    MessageTooLargeError,
    NotAllowedError,
    QuotaExceededError,
)
from local.service_bus.core.journal import Journal
from local.service_bus.core.message import Changes, Content, ContentCodec, Message, State
from local.service_bus.core.queues import Directory, Queue, Subscription, Topic
from local.service_bus.core.rules import select

MOST_HOPS = 4
LONGEST_ID = 128

HOPS_EXCEEDED = "MaxTransferHopCountExceeded"
NO_SESSION_ID = "Session ID is null."
FILTER_FAILED = "FilterEvaluationException"
FORWARD_FAILED = "ForwardingFailed"
"""Reason for what cannot be forwarded; the description says why. Azure documents no name for it."""


class Router:
    """Moves messages between the entities of a directory."""

    def __init__(
        self,
        directory: Directory,
        journal: Journal,
        codec: ContentCodec,
        clock: Callable[[], float],
    ) -> None:
        self._directory, self._journal, self._codec = directory, journal, codec
        self._clock = clock

    # Sending

    def send(self, target: Queue | Topic, contents: Sequence[Content]) -> None:
        """Take in messages: all of them, or none.

        Raises:
            BrokerError: the entity is disabled or full, a message is too large or has no session.
        """
        self._admit(target, contents)
        for content in contents:
            self._accept(target, content)

    def schedule(self, target: Queue | Topic, contents: Sequence[Content]) -> list[int]:
        """Take in messages for their scheduled times; give their sequence numbers.

        A message whose time has passed, or that names none, is enqueued at once. A duplicate is
        dropped silently, and gets a number as well.

        Raises:
            BrokerError: as `send`.
        """
        self._admit(target, contents)
        return [self._accept(target, content) for content in contents]

    def _admit(self, target: Queue | Topic, contents: Sequence[Content]) -> None:
        check_enabled(target, "SendDisabled")
        limit = target.spec.max_message_size_in_kilobytes * 1024
        total = sum(content.size for content in contents)
        if total > limit:
            message = (
                f"The received message (size: {total} bytes) exceeds the limit ({limit} bytes) "
                f"currently allowed on '{target.path}'."
            )
            raise MessageTooLargeError(message)
        for content in contents:
            self._check_ids(target, content)
        full = target.spec.max_size_in_megabytes * 1024 * 1024
        size = target.size
        if size + total > full:
            message = (
                f"The maximum entity size has been reached or exceeded for {target.kind}: "
                f"'{target.path}'. Size of entity in bytes: {size}, maximum: {full}."
            )
            raise QuotaExceededError(message)

    @staticmethod
    def _check_ids(target: Queue | Topic, content: Content) -> None:
        for name in ("message_id", "session_id", "partition_key"):
            value = getattr(content, name)
            if value is not None and len(value) > LONGEST_ID:
                raise InvalidArgumentError(f"{name} has over {LONGEST_ID} characters.")
        if content.session_id is None and target.kind == "Queue" and _needs_session(target):
            raise NotAllowedError(
                "The SessionId was not set on a message, and it cannot be sent to the entity "
                f"'{target.path}'. Entities that have session support enabled can only receive "
                "messages that have the SessionId set to a valid value."
            )

    def _accept(self, target: Queue | Topic, content: Content, hops: int = 0) -> int:
        now = self._clock()
        number = target.counter.next()
        message_id = content.message_id
        if target.duplicates and message_id and target.duplicates.seen(message_id, now):
            return number
        message = Message(content, sequence=number, enqueued_at=now)
        message.hops = hops
        if content.scheduled_at is not None and content.scheduled_at > now:
            message.state = State.SCHEDULED
            message.scheduled_at = content.scheduled_at
            self._journal.insert(target.mailbox.box, message)
            target.mailbox.put(message)
        else:
            self._arrive(target, message)
        return number

    def due(self, path: str, message: Message) -> None:
        """Enqueue a scheduled message whose time has come, under a new sequence number."""
        target = self._directory.sendable(path)
        self._journal.delete(message)
        now = self._clock()
        arrived = Message(message.content, sequence=target.counter.next(), enqueued_at=now)
        arrived.hops = message.hops
        self._arrive(target, arrived)

    # Arriving

    def _arrive(self, target: Queue | Topic, message: Message) -> None:
        if isinstance(target, Topic):
            for subscription in list(target.subscriptions.values()):
                self._publish(target, subscription, message)
        else:
            self._settle_in(target, message)

    def _publish(self, topic: Topic, subscription: Subscription, message: Message) -> None:
        selection = select(subscription.rules.values(), message.content)
        for changes in selection.copies:
            content = self._codec.rewrite(message.content, changes) if changes else message.content
            self._settle_in(subscription, self._copy(subscription, message, content), topic)
        if selection.failures and subscription.spec.dead_lettering_on_filter_evaluation_exceptions:
            copy = self._copy(subscription, message, message.content)
            self.bury(subscription, copy, FILTER_FAILED, " ".join(selection.failures))

    @staticmethod
    def _copy(subscription: Subscription, message: Message, content: Content) -> Message:
        number = subscription.counter.next()
        copy = Message(content, sequence=number, enqueued_at=message.enqueued_at)
        copy.enqueued_sequence = message.enqueued_sequence
        copy.hops = message.hops
        return copy

    def _settle_in(
        self, holder: Queue | Subscription, message: Message, topic: Topic | None = None
    ) -> None:
        lives = [message.content.time_to_live, holder.spec.default_message_time_to_live]
        if topic is not None:
            lives.append(topic.spec.default_message_time_to_live)
        life = min((given for given in lives if given is not None), default=None)
        message.expires_at = None if life is None else message.enqueued_at + life
        if _needs_session(holder) and message.content.session_id is None:
            text = (
                "Session enabled entity doesn't allow a message whose session identifier is null."
            )
            self.bury(holder, message, NO_SESSION_ID, text)
        elif holder.spec.forward_to:
            self._forward(holder, message, holder.spec.forward_to)
        else:
            self._journal.insert(holder.mailbox.box, message)
            holder.mailbox.put(message)

    def _forward(self, holder: Queue | Subscription, message: Message, destination: str) -> None:
        try:
            self._transfer(message, destination, source=None)
        except _TooManyHopsError as refused:
            self.bury(holder, message, HOPS_EXCEEDED, str(refused), forward=False)
        except BrokerError as refused:
            self.bury(holder, message, FORWARD_FAILED, str(refused), forward=False)

    def _transfer(self, message: Message, destination: str, *, source: str | None) -> None:
        if message.hops >= MOST_HOPS:
            raise _TooManyHopsError(
                "The maximum number of allowed hops when forwarding between entities has been "
                f"exceeded. The maximum is {MOST_HOPS}."
            )
        target = self._directory.sendable(destination)
        self._admit(target, [message.content])
        now = self._clock()
        message_id = message.content.message_id
        if target.duplicates and message_id and target.duplicates.seen(message_id, now):
            return
        arrived = Message(message.content, sequence=target.counter.next(), enqueued_at=now)
        arrived.enqueued_sequence = message.enqueued_sequence
        arrived.hops = message.hops + 1
        arrived.dead_letter_source = source
        self._arrive(target, arrived)

    def forward_waiting(self, holder: Queue | Subscription) -> None:
        """Forward what arrived before forwarding was switched on."""
        if not holder.spec.forward_to:
            return
        for message in holder.mailbox.take_out_active():
            self._journal.delete(message)
            message.row = 0
            self._forward(holder, message, holder.spec.forward_to)

    # Dead letters

    def bury(
        self,
        holder: Queue | Subscription,
        message: Message,
        reason: str,
        description: str,
        changes: Changes | None = None,
        *,
        forward: bool = True,
    ) -> None:
        """Put a message, taken out of its mailbox or never put in, among the dead letters.

        `reason` and `description` become the properties `DeadLetterReason` and
        `DeadLetterErrorDescription`; empty ones are left out.
        """
        told = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        given = changes or Changes()
        user = {**given.user, **{name: text for name, text in told.items() if text}}
        all_changes = Changes(system=given.system, user=user, removed=given.removed)
        message.content = self._codec.rewrite(message.content, all_changes)
        message.state, message.expires_at = State.ACTIVE, None
        destination = holder.spec.forward_dead_lettered_messages_to
        if forward and destination:
            try:
                self._transfer(message, destination, source=holder.path)
            except BrokerError:
                pass
            else:
                self._journal.delete(message)
                return
        self._journal.move(holder.dead_letters.box, message)
        holder.dead_letters.put(message)


class _TooManyHopsError(BrokerError):
    """The message was forwarded too often."""


def _needs_session(entity: Queue | Topic | Subscription) -> bool:
    return not isinstance(entity, Topic) and entity.spec.requires_session


def check_enabled(entity: Queue | Topic | Subscription, forbidden: str) -> None:
    """Refuse if the entity's status forbids sending (`SendDisabled`) or receiving.

    Raises:
        EntityDisabledError: it does.
    """
    if entity.spec.status in ("Disabled", forbidden):
        action = "sending" if forbidden == "SendDisabled" else "receiving"
        message = (
            f"Entity '{entity.path}' is currently disabled for {action} "
            f"(status {entity.spec.status})."
        )
        raise EntityDisabledError(message)
