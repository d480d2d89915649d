"""Spans: each hop continues the trace of its drop, wherever its message has been.

Blob events carry no trace and brokers drop one now and then, so nothing rests on them: a drop's
trace id is derived from the drop, and every event carries a `traceparent` of our own. What encloses
a hop and belongs to another trace (the invocation, as the Functions worker sees it) is linked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)

from mesh.model.delivery import DeliveryAttempt
from mesh.model.dropped_file import UNPLACED, DroppedFile, Place, place_of
from mesh.model.events import ReceivedEvent, trace_id_of
from mesh.model.names import ProductId
from mesh.model.notification import Notification, RecordedAttempt
from mesh.model.onboarding import Onboarding
from mesh.model.record import LedgerEntry
from mesh.telemetry import counting
from mesh.telemetry import names as n
from mesh.telemetry.binding import bound
from mesh.telemetry.providers import Ids, providers, start_span

_log = logging.getLogger(n.SCOPE)

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class Hop:
    """A hop while it lasts: what it learns about itself goes into its span and its metrics."""

    def __init__(self, span: Span, product: ProductId) -> None:
        self.product = product
        self.outcome = "ok"
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """For what this hop causes; None when there is no trace."""
        context = self._span.get_span_context()
        if not context.is_valid:
            return None
        flags = int(context.trace_flags) & TraceFlags.SAMPLED
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"

    def learn(self, attributes: Mapping[str, Any]) -> None:
        """Note attributes of the span; None is not noted."""
        if self._span.is_recording():
            known = {name: value for name, value in attributes.items() if value is not None}
            self._span.set_attributes(known)

    def ended(self, outcome: str, *, good: bool) -> None:
        """Say how the hop ended; the exception that ends it says so by itself."""
        self.outcome = outcome
        if not good:
            self._span.set_status(Status(StatusCode.ERROR, outcome))

    def decided(self, product: ProductId, entry: LedgerEntry) -> None:
        """A drop was decided: its verdict is on record."""
        self.product = product
        verdict = entry.verdict.value
        self.learn(
            {
                n.DOMAIN: product.domain,
                n.PRODUCT: product.product,
                n.VERDICT: verdict,
                n.ROWS: entry.rows,
                n.REJECTED: entry.rejected,
            }
        )
        counting.add(n.DROPS, 1, product, verdict=verdict)
        counting.add(n.ROWS_READ, entry.rows, product)
        counting.add(n.REJECTS, entry.rejected, product)
        _log.info("drop %s: %d of %d rows bad", verdict, entry.rejected, entry.rows)

    def came_again(self, product: ProductId) -> None:
        """A drop came that is decided already."""
        self.product = product
        self.learn({n.DOMAIN: product.domain, n.PRODUCT: product.product, n.OUTCOME: "duplicate"})
        self.outcome = "duplicate"
        counting.add(n.DUPLICATES, 1, product)
        _log.info("drop came again, and is decided already")

    def told(self, subscribers: int) -> None:
        """So many subscribers are to be told."""
        self.learn({n.TOLD: subscribers})

    def moved_on(self, saga: Onboarding) -> None:
        """A step of an onboarding was done, or refused."""
        self.outcome = saga.status.value
        if saga.product is not None:
            self.product = saga.product
        about = {n.DOMAIN: self.product.domain, n.PRODUCT: self.product.product}
        self.learn(about | {n.OUTCOME: self.outcome})

    def answered(self, made: DeliveryAttempt) -> None:
        """A receiver answered, or did not."""
        self.ended(made.outcome, good=made.outcome == "delivered")
        told = {n.OUTCOME: made.outcome, n.STATUS: made.status}
        self.learn(told | {"http.response.status_code": made.status})

    def attempted(self, made: RecordedAttempt, event: ReceivedEvent, *, now: datetime) -> None:
        """An attempt at telling a subscriber was made, and is on record."""
        delivered = made.outcome == "delivered"
        since = _since_landing(event, now) if delivered and made.channel == "push" else None
        self.ended(made.outcome, good=delivered)
        self.learn(
            {
                n.SUBSCRIBER: made.subscriber,
                n.CHANNEL: made.channel,
                n.STATUS: made.status,
                n.OUTCOME: made.outcome,
                n.SINCE_LANDING: since,
            }
        )
        level = logging.INFO if delivered else logging.WARNING
        _log.log(level, "attempt %d at %s: %s", made.number, made.subscriber, made.outcome)
        dimensions = {"channel": made.channel, "outcome": made.outcome}
        counting.add(n.NOTIFICATIONS, 1, made.product, **dimensions)
        if since is not None:
            counting.record(n.LANDING_TO_NOTIFIED, since, made.product)


@contextmanager
def land(dropped: DroppedFile) -> Iterator[Hop]:
    """The hop in which a dropped file is judged: the root of its trace."""
    place = place_of(dropped.blob)
    product = place.product if isinstance(place, Place) else UNPLACED
    about = {n.DROP: dropped.id, n.SIZE: dropped.size}
    with _hop(n.LAND, product, about, trace_id=trace_id_of(dropped.id)) as hop:
        yield hop


@contextmanager
def publishing(
    events: Sequence[Mapping[str, Any]], *, causes: Iterable[str] = ()
) -> Iterator[None]:
    """The hop in which events leave: a producer span for each, under the id its event carries.

    Args:
        causes: the `traceparent` of what else led to the events: fan-in.
    """
    links = [Link(context) for text in causes if (context := _remote(text)) is not None]
    received = [ReceivedEvent.from_cloudevent(event) for event in events]
    with ExitStack() as stack:
        for event in received:
            parent = _remote(event.envelope["traceparent"])
            assert parent is not None  # `Event.to_cloudevent` has written it
            trace_id = event.envelope["traceparent"][3:35]
            about = _about(event)
            stack.enter_context(
                _hop(
                    n.PUBLISH,
                    event.product,
                    about,
                    trace_id=trace_id,
                    span_id=parent.span_id,
                    links=links,
                    is_current=False,
                )
            )
        yield
    for event in received:
        counting.add(n.EVENTS, 1, event.product, event_type=event.type)


@contextmanager
def fan_out(event: ReceivedEvent) -> Iterator[Hop]:
    """The hop in which an event becomes notifications."""
    parent = event.envelope.get("traceparent")
    with _hop(n.FAN_OUT, event.product, _about(event), traceparent=parent) as hop:
        yield hop


@contextmanager
def notify(notification: Notification) -> Iterator[Hop]:
    """The hop in which one attempt at telling a subscriber is made; one span per attempt."""
    event = notification.event
    about = _about(event) | {
        n.SUBSCRIPTION: notification.subscription,
        n.ATTEMPT: notification.attempt,
    }
    parent = notification.traceparent or event.envelope.get("traceparent")
    with _hop(n.NOTIFY, event.product, about, traceparent=parent) as hop:
        yield hop


@contextmanager
def deliver(notification: Notification) -> Iterator[Hop]:
    """The request to a receiver, within `notify`."""
    about = _about(notification.event) | {
        n.SUBSCRIPTION: notification.subscription,
        n.ATTEMPT: notification.attempt,
        "http.request.method": "POST",
    }
    with _hop(n.DELIVER, notification.event.product, about) as hop:
        yield hop


@contextmanager
def compose(composite: ProductId, event: ReceivedEvent) -> Iterator[Hop]:
    """The composite takes note of an input's event, within `notify`."""
    with _hop(n.COMPOSE, composite, _about(event)) as hop:
        yield hop


@contextmanager
def onboard(identity: str) -> Iterator[Hop]:
    """One step of an onboarding; all its steps share a trace."""
    about = {n.ONBOARDING: identity}
    trace_id = trace_id_of(f"onboarding\n{identity}")
    with _hop(n.ONBOARD, UNPLACED, about, trace_id=trace_id) as hop:
        yield hop


@contextmanager
def _hop(
    step: n.Step,
    product: ProductId,
    about: Mapping[str, Any],
    *,
    traceparent: str | None = None,
    trace_id: str | None = None,
    span_id: int | None = None,
    links: Sequence[Link] = (),
    is_current: bool = True,
) -> Iterator[Hop]:
    """A span and a duration around what is done inside.

    Args:
        traceparent: what the hop continues.
        trace_id: the trace it belongs to, when it continues nothing that it knows of.
        span_id: of the span, when others know it already.
        is_current: whether spans made inside are its children.
    """
    context, outside = _place(traceparent, trace_id)
    span = start_span(
        Ids(trace=int(trace_id, 16) if trace_id else None, span=span_id),
        step.span,
        context=context,
        kind=SpanKind[step.kind.upper()],
        attributes={
            n.STEP: step.name,
            n.DOMAIN: product.domain,
            n.PRODUCT: product.product,
            **about,
        },
        links=[*links, *outside],
    )
    hop = Hop(span, product)
    fields = {name: str(about[name]) for name in (n.DROP, n.EVENT) if about.get(name)}
    fields |= {n.STEP: step.name, n.DOMAIN: product.domain, n.PRODUCT: product.product}
    started = time.perf_counter()
    with ExitStack() as inside:
        if is_current:
            inside.enter_context(
                use_span(span, record_exception=False, set_status_on_exception=False)
            )
            inside.enter_context(bound(fields))
        try:
            yield hop
        except BaseException as failure:
            # Its message may quote what it failed on, so only its class is told.
            hop.ended("error", good=False)
            hop.learn({n.ERROR: type(failure).__name__})
            raise
        finally:
            seconds = time.perf_counter() - started
            said = {"step": step.name, "outcome": hop.outcome}
            counting.record(n.HOP_DURATION, seconds, hop.product, **said)
            span.end()


def _place(traceparent: str | None, trace_id: str | None) -> tuple[Context | None, list[Link]]:
    """The context to start a span in, and the link to what encloses it in another trace."""
    enclosing = get_current_span().get_span_context()
    parent = _remote(traceparent or "")
    wanted = int(trace_id, 16) if trace_id else parent and parent.trace_id
    if wanted is None or (enclosing.is_valid and enclosing.trace_id == wanted):
        return None, []
    links = [Link(enclosing)] if enclosing.is_valid else []
    if parent is None:
        if providers().derives_ids:
            return Context(), links
        # Without an SDK of our choosing: a parent that nobody sees keeps the trace together.
        parent = SpanContext(wanted, wanted >> 64, is_remote=True, trace_flags=_SAMPLED)
    return set_span_in_context(NonRecordingSpan(parent), Context()), links


def _remote(traceparent: str) -> SpanContext | None:
    """Read a W3C `traceparent` of version 00; None when it is none."""
    parts = traceparent.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2]:
        return None
    try:
        trace, span, flags = (int(part, 16) for part in parts[1:])
    except ValueError:
        return None
    context = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


def _about(event: ReceivedEvent) -> dict[str, Any]:
    drop = event.envelope["data"].get("drop")
    about = {n.EVENT: event.id, n.EVENT_TYPE: event.type, n.SEQUENCE: event.sequence}
    return about | ({n.DROP: drop} if drop else {})


def _since_landing(event: ReceivedEvent, now: datetime) -> float | None:
    landed = event.envelope["data"].get("landed_at")
    if landed is None:
        return None
    return (now - datetime.fromisoformat(landed).astimezone(UTC)).total_seconds()
