"""The dead-letter queues of Service Bus, and, in the table `deadletters`, what was decided.

The PartitionKey is the source, the RowKey the message's number, which no other ever gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from azure.data.tables import UpdateMode

from mesh.azure.clients import Clients
from mesh.azure.failures import unavailable
from mesh.azure.rows import get, noun, row, row_key
from mesh.errors import NotFound
from mesh.model.dead_letter import DeadLetter, SettledLetter

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceiver

TABLE = "deadletters"
BATCH = 100
MOST_LOOKED_AT = 2000
"""Messages that are locked while one of them is looked for: Service Bus gives them in order."""

WAIT_SECONDS = 2
"""How long to wait for (more) messages; a dead-letter queue has them, or has none."""


class ServiceBusDeadLetters:
    """`mesh.ports.DeadLetters` on Service Bus.

    A message cannot be received by its number: those before it are locked with it, and released.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def peek(self, source: str, *, limit: int) -> Sequence[DeadLetter]:
        doing = f"Looking at the dead letters of {source}"
        with unavailable(doing), _existing(source), self._receiver(source) as receiver:
            found: list[Any] = []
            while len(found) < limit:
                after = found[-1].sequence_number + 1 if found else 1
                count = min(limit - len(found), BATCH)
                page = receiver.peek_messages(max_message_count=count, sequence_number=after)
                if not page:
                    break
                found += page
            return [_letter(source, message) for message in found]

    def take(
        self, source: str, number: int, handle: Callable[[DeadLetter], None]
    ) -> DeadLetter | None:
        doing = f"Taking a dead letter of {source}"
        with unavailable(doing), _existing(source), self._receiver(source) as receiver:
            others: list[Any] = []
            try:
                wanted = self._find(receiver, number, others)
                if wanted is None:
                    return None
                letter = _letter(source, wanted)
                try:
                    handle(letter)
                except BaseException:
                    others.append(wanted)
                    raise
                receiver.complete_message(wanted)
                return letter
            finally:
                for message in others:
                    receiver.abandon_message(message)

    def settled(self, source: str, number: int) -> SettledLetter | None:
        found = get(self._clients.table(TABLE), row_key(source), _key(number))
        return None if found is None else noun(SettledLetter, found)

    def settle(self, settled: SettledLetter) -> None:
        letter = replace(settled.letter, body=b"")
        kept = replace(settled, letter=letter)
        with unavailable(f"Noting what was decided about a dead letter of {letter.source}"):
            made = row(row_key(letter.source), _key(letter.number), kept)
            self._clients.table(TABLE).upsert_entity(made, mode=UpdateMode.REPLACE)

    def _find(self, receiver: ServiceBusReceiver, number: int, others: list[Any]) -> Any:
        while len(others) < MOST_LOOKED_AT:
            page = receiver.receive_messages(max_message_count=BATCH, max_wait_time=WAIT_SECONDS)
            if not page:
                return None
            others += [message for message in page if message.sequence_number != number]
            for message in page:
                if message.sequence_number == number:
                    return message
        return None

    def _receiver(self, source: str) -> ServiceBusReceiver:
        from azure.servicebus import ServiceBusSubQueue

        bus = self._clients._service_bus()  # noqa: SLF001 - of the same room
        dead = ServiceBusSubQueue.DEAD_LETTER
        topic, _, subscription = source.partition("/")
        if subscription:
            return bus.get_subscription_receiver(topic, subscription, sub_queue=dead)
        return bus.get_queue_receiver(topic, sub_queue=dead)


@contextmanager
def _existing(source: str) -> Iterator[None]:
    """Say so when there is no such queue or subscription."""
    from azure.servicebus.exceptions import MessagingEntityNotFoundError

    try:
        yield
    except MessagingEntityNotFoundError:
        message = f"There is no queue or subscription {source}."
        raise NotFound(message, problem="unknown-source") from None


def _key(number: int) -> str:
    return f"{number:019d}"


def _letter(source: str, message: Any) -> DeadLetter:
    properties = {
        (name.decode() if isinstance(name, bytes) else str(name)): value
        for name, value in (message.application_properties or {}).items()
    }
    trace = properties.get("traceparent")
    return DeadLetter(
        source=source,
        number=message.sequence_number,
        message_id=str(message.message_id or ""),
        enqueued_at=message.enqueued_time_utc,
        reason=message.dead_letter_reason or "",
        description=message.dead_letter_error_description or "",
        deliveries=message.delivery_count or 0,
        body=b"".join(message.body),
        traceparent=trace.decode() if isinstance(trace, bytes) else trace,
    )
