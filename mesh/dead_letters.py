"""Messages that were given up: see why, let them be worked on again, or put them away.

Nothing is edited: what is resubmitted is what was given up. What was decided about a message is
kept, so that the same command again ends the same, and another one is told of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mesh import fan_out
from mesh.backbone import Backbone
from mesh.errors import NotFound, Rejected
from mesh.model.dead_letter import DeadLetter, SettledLetter, Settlement
from mesh.model.events import ReceivedEvent
from mesh.model.timestamps import rfc3339
from mesh.ports import Message

QUEUES = ("landed-files", "onboarding", "notifications", "notifications-slow")
FAN_OUT = "product-events/fan-out"
SOURCES = (*QUEUES, FAN_OUT)
"""Where messages of the mesh's own are given up. Those of pull subscribers are named
`product-events/SUBSCRIPTION`, and are seen when asked for."""

_log = logging.getLogger(__name__)


def found(backbone: Backbone, *, source: str | None, limit: int) -> Sequence[DeadLetter]:
    """Messages that were given up by one source, or by all of the mesh's own; oldest first.

    Raises:
        NotFound: there is no such source.
    """
    sources = SOURCES if source is None else (_known(source),)
    return [
        letter for place in sources for letter in backbone.dead_letters.peek(place, limit=limit)
    ][:limit]


def resubmit(backbone: Backbone, source: str, number: int) -> SettledLetter:
    """Let a message be worked on again; once that was done, nothing more is done.

    An event that could not be fanned out is fanned out now: sent to the topic, it would be told to
    pull subscribers that have it.

    Raises:
        NotFound: there is no such message, or source.
        Rejected: it cannot be worked on whatever happens: it is no JSON object, or no event; or it
            is a pull subscriber's, who alone can read it again; or it was discarded.
    """

    def again(letter: DeadLetter) -> None:
        document = letter.document
        if document is None:
            message = f"Message {number} of {source} is no JSON object, and nobody can work on it."
            raise Rejected(message, problem="not-resubmittable", status=409)
        if source == FAN_OUT:
            fan_out.fan_out(backbone, _event(letter, document))
            return
        # A new id, for the queue would drop one that it has just seen; the same at each attempt.
        identity = f"{letter.message_id[:90]}-again-{number}"
        copy = Message(id=identity, body=document, traceparent=letter.traceparent)
        backbone.queues.send(source, [copy])

    if _known(source) not in SOURCES:
        message = (
            f"Messages of {source} are a pull subscriber's, who reads its dead letters itself."
        )
        raise Rejected(message, problem="not-resubmittable", status=409)
    return _settle(backbone, source, number, Settlement.RESUBMITTED, again)


def discard(backbone: Backbone, source: str, number: int, *, reason: str) -> SettledLetter:
    """Put a message away for good; the log keeps what it was, and why.

    Once that was done, nothing more is done.

    Raises:
        NotFound: there is no such message, or source.
        Rejected: it was resubmitted.
    """

    def away(letter: DeadLetter) -> None:
        _log.warning(
            "discarded message %s (%s) of %s, given up for %s: %s",
            number,
            letter.message_id,
            source,
            letter.reason,
            reason,
        )

    return _settle(backbone, _known(source), number, Settlement.DISCARDED, away)


def _settle(
    backbone: Backbone,
    source: str,
    number: int,
    settlement: Settlement,
    handle: Callable[[DeadLetter], None],
) -> SettledLetter:
    """Handle a message, keep that it was, and take it away: in this order, for each may fail."""
    made: list[SettledLetter] = []

    def once(letter: DeadLetter) -> None:
        known = backbone.dead_letters.settled(source, number)
        if known is None or not known.letter.is_same(letter):
            handle(letter)
            made.append(SettledLetter(letter=letter, settlement=settlement, at=backbone.now()))
            backbone.dead_letters.settle(made[0])

    taken = backbone.dead_letters.take(source, number, once)
    if made:
        return made[0]
    known = backbone.dead_letters.settled(source, number)
    if known is None:
        message = f"There is no message {number} among the dead letters of {source}."
        raise NotFound(message, problem="unknown-dead-letter")
    if known.settlement is not settlement:
        message = f"Message {number} of {source} was {known.settlement} at {rfc3339(known.at)}."
        raise Rejected(message, problem="dead-letter-settled", status=409)
    return replace(known, letter=taken or known.letter, repeated=True)


def _event(letter: DeadLetter, document: Mapping[str, Any]) -> ReceivedEvent:
    try:
        return ReceivedEvent.from_cloudevent(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        message = f"Message {letter.number} of {letter.source} is no event of the mesh."
        raise Rejected(message, problem="not-resubmittable", status=409) from None


def _known(source: str) -> str:
    topic, _, subscription = source.partition("/")
    if source in SOURCES or (topic == "product-events" and subscription):
        return source
    message = (
        f"Nothing gives up messages at {source!r}. The sources are {', '.join(SOURCES)}, and "
        "product-events/SUBSCRIPTION."
    )
    raise NotFound(message, problem="unknown-source")
