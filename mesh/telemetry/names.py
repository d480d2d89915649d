"""Every name that the mesh emits; there is no other place where one is written down.

Attributes of spans, dimensions of metrics and fields of logs have the same names, so that a query
finds a product by `mesh.domain` and `mesh.product` wherever it looks. Azure Monitor keeps them in
`Properties`; it drops attributes of OpenTelemetry's own conventions there (`http.*`,
`messaging.*`, …), so what a query needs is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

SCOPE: Final = "mesh"
"""Name of the tracer, of the meter, and of the parent of all our loggers."""

DOMAIN: Final = "mesh.domain"
PRODUCT: Final = "mesh.product"
STEP: Final = "mesh.step"
OUTCOME: Final = "mesh.outcome"
CHANNEL: Final = "mesh.channel"
QUEUE: Final = "mesh.queue"
VERDICT: Final = "mesh.verdict"
EVENT_TYPE: Final = "mesh.event_type"

DROP: Final = "mesh.drop"
EVENT: Final = "mesh.event"
SEQUENCE: Final = "mesh.sequence"
SUBSCRIPTION: Final = "mesh.subscription"
SUBSCRIBER: Final = "mesh.subscriber"
ATTEMPT: Final = "mesh.attempt"
STATUS: Final = "mesh.http_status"
ROWS: Final = "mesh.rows"
REJECTED: Final = "mesh.rejected"
SIZE: Final = "mesh.bytes"
TOLD: Final = "mesh.told"
SINCE_LANDING: Final = "mesh.since_landing_s"
ERROR: Final = "mesh.error"
ONBOARDING: Final = "mesh.onboarding"

SPAN_ATTRIBUTES: Final = {
    DOMAIN: "domain of the product",
    PRODUCT: "name of the product within its domain",
    STEP: "which hop it is; see STEPS",
    OUTCOME: "how the hop ended: ok, error, or the outcome of an attempt",
    CHANNEL: "how a subscriber is told: push, event-grid, service-bus, inbox or composite",
    VERDICT: "accepted, rejected or superseded",
    EVENT_TYPE: "type of the CloudEvent",
    DROP: "id of the drop",
    EVENT: "id of the CloudEvent",
    SEQUENCE: "place of the event among its product's",
    SUBSCRIPTION: "id of the subscription",
    SUBSCRIBER: "the consuming domain",
    ATTEMPT: "number of the attempt, 1 for the first",
    STATUS: "HTTP status that the receiver answered",
    ROWS: "rows of the file",
    REJECTED: "rows that broke the contract",
    SIZE: "bytes of the dropped file",
    TOLD: "subscribers that are to be told",
    SINCE_LANDING: "seconds from the landing of the file to the receiver's answer",
    ERROR: "class of the exception that ended the hop; its message stays out of telemetry",
    ONBOARDING: "id of the onboarding",
}

LOG_FIELDS: Final = (DOMAIN, PRODUCT, DROP, EVENT, STEP)
"""What each record that is logged within a hop carries, as far as the hop knows it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A hop that a span stands for.

    Attributes:
        name: value of `mesh.step`.
        span: name of the span, after the messaging conventions: operation and destination.
        kind: consumer spans become rows of AppRequests in Azure Monitor, others of AppDependencies.
    """

    name: str
    span: str
    kind: Literal["consumer", "producer", "client", "internal"]


LAND: Final = Step(name="land", span="process landed-files", kind="consumer")
PUBLISH: Final = Step(name="publish", span="publish mesh-events", kind="producer")
FAN_OUT: Final = Step(name="fan-out", span="process product-events", kind="consumer")
NOTIFY: Final = Step(name="notify", span="process notifications", kind="consumer")
DELIVER: Final = Step(name="deliver", span="POST webhook", kind="client")
COMPOSE: Final = Step(name="compose", span="note composite input", kind="internal")
ONBOARD: Final = Step(name="onboard", span="process onboarding", kind="consumer")

STEPS: Final = (LAND, PUBLISH, FAN_OUT, NOTIFY, DELIVER, COMPOSE, ONBOARD)


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A metric; `unit` after UCUM, braces around what is only a name for things counted."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    description: str
    dimensions: tuple[str, ...]


_OF_PRODUCT: Final = (DOMAIN, PRODUCT)

DROPS: Final = Metric(
    name="mesh.drops",
    kind="counter",
    unit="{drop}",
    description="Drops that were decided",
    dimensions=(*_OF_PRODUCT, VERDICT),
)
ROWS_READ: Final = Metric(
    name="mesh.rows",
    kind="counter",
    unit="{row}",
    description="Rows that were judged",
    dimensions=_OF_PRODUCT,
)
REJECTS: Final = Metric(
    name="mesh.rejects",
    kind="counter",
    unit="{row}",
    description="Rows that broke the contract",
    dimensions=_OF_PRODUCT,
)
DUPLICATES: Final = Metric(
    name="mesh.duplicates",
    kind="counter",
    unit="{drop}",
    description="Drops that came again after they were decided",
    dimensions=_OF_PRODUCT,
)
EVENTS: Final = Metric(
    name="mesh.events",
    kind="counter",
    unit="{event}",
    description="Events that were published",
    dimensions=(*_OF_PRODUCT, EVENT_TYPE),
)
NOTIFICATIONS: Final = Metric(
    name="mesh.notifications",
    kind="counter",
    unit="{attempt}",
    description="Attempts at telling a subscriber",
    dimensions=(*_OF_PRODUCT, CHANNEL, OUTCOME),
)
HOP_DURATION: Final = Metric(
    name="mesh.hop.duration",
    kind="histogram",
    unit="s",
    description="How long a hop took",
    dimensions=(*_OF_PRODUCT, STEP, OUTCOME),
)
LANDING_TO_NOTIFIED: Final = Metric(
    name="mesh.landing_to_notified",
    kind="histogram",
    unit="s",
    description="From the landing of a file to a subscriber's 2xx",
    dimensions=_OF_PRODUCT,
)
PRODUCT_AGE: Final = Metric(
    name="mesh.product.age",
    kind="gauge",
    unit="s",
    description="Since the product's newest good file landed",
    dimensions=_OF_PRODUCT,
)
OUTBOX_BACKLOG: Final = Metric(
    name="mesh.outbox.backlog",
    kind="gauge",
    unit="{event}",
    description="Events that are committed and not known to be published",
    dimensions=_OF_PRODUCT,
)
DEAD_LETTERS: Final = Metric(
    name="mesh.dead_letters",
    kind="gauge",
    unit="{message}",
    description="Messages that nobody will handle unless someone looks",
    dimensions=(QUEUE,),
)

METRICS: Final = (
    DROPS,
    ROWS_READ,
    REJECTS,
    DUPLICATES,
    EVENTS,
    NOTIFICATIONS,
    HOP_DURATION,
    LANDING_TO_NOTIFIED,
    PRODUCT_AGE,
    OUTBOX_BACKLOG,
    DEAD_LETTERS,
)

BOUNDARIES: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""Seconds: from a webhook's answer to the half hour that a function may run."""


def emitted() -> dict[str, Any]:
    """All names as plain data, for checks outside Python: what a query may ask for."""
    return {
        "properties": sorted({*SPAN_ATTRIBUTES, QUEUE, "_MS.links"}),
        "metrics": {metric.name: list(metric.dimensions) for metric in METRICS},
        "spans": {step.span: step.kind for step in STEPS},
        "steps": [step.name for step in STEPS],
        "log_fields": list(LOG_FIELDS),
    }
