"""Spans: each hop continues the trace of its drop, wherever its message has been.

Blob events carry no trace and brokers drop one now and then, so nothing rests on them: a drop's
trace id is derived from the drop, and every event carries a `traceparent` of our own. What encloses
a hop and belongs to another trace (the invocation, as the Functions worker sees it) is linked.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)

from mesh.model.dropped_file import UNPLACED, DroppedFile, Place, place_of
from mesh.model.events import ReceivedEvent, trace_id_of
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.telemetry import counting
from mesh.telemetry import names as n
from mesh.telemetry.binding import bound
from mesh.telemetry.hop import Hop
from mesh.telemetry.providers import Ids, providers, start_span

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


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
            known = _remote(event.envelope.get("traceparent", ""))
            stack.enter_context(
                _hop(
                    n.PUBLISH,
                    event.product,
                    _about(event),
                    trace_id=f"{known.trace_id:032x}" if known else None,
                    span_id=known.span_id if known else None,
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
    whose = {n.STEP: step.name, n.DOMAIN: product.domain, n.PRODUCT: product.product}
    span = start_span(
        Ids(trace=int(trace_id, 16) if trace_id else None, span=span_id),
        step.span,
        context=context,
        kind=SpanKind[step.kind.upper()],
        attributes={**whose, **about},
        links=[*links, *outside],
    )
    hop = Hop(span, product)
    fields = {name: str(about[name]) for name in (n.DROP, n.EVENT) if about.get(name)} | whose
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
