"""What the mesh announces: CloudEvents 1.0, thin (references, never rows)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mesh.model.names import ProductId
from mesh.model.product import Deprecation
from mesh.model.timestamps import event_time

PRODUCT_ONBOARDED = "mesh.product.onboarded.v1"
PRODUCT_CHANGED = "mesh.product.changed.v1"
CONTRACT_PUBLISHED = "mesh.contract.published.v1"
PRODUCT_UPDATED = "mesh.product.updated.v1"
FILE_QUARANTINED = "mesh.file.quarantined.v1"
PRODUCT_LATE = "mesh.product.late.v1"
PRODUCT_MISSED = "mesh.product.missed.v1"
PRODUCT_RECOVERED = "mesh.product.recovered.v1"
INPUTS_READY = "mesh.composite.inputs-ready.v1"
SUBSCRIPTION_FAILING = "mesh.subscription.failing.v1"
SUBSCRIPTION_SUSPENDED = "mesh.subscription.suspended.v1"
CONTRACT_RETIRED = "mesh.contract.retired.v1"
NOTICE_GIVEN = "mesh.notice.given.v1"
NOTICE_REMINDED = "mesh.notice.reminded.v1"

AGREEMENT_TYPES = tuple(
    f"mesh.agreement.{what}.v1"
    for what in ("requested", "granted", "refused", "expiring", "expired", "revoked")
)
"""What happens to the agreement of one domain about the product."""

EVENT_TYPES = (
    PRODUCT_ONBOARDED,
    PRODUCT_CHANGED,
    CONTRACT_PUBLISHED,
    CONTRACT_RETIRED,
    PRODUCT_UPDATED,
    FILE_QUARANTINED,
    PRODUCT_LATE,
    PRODUCT_MISSED,
    PRODUCT_RECOVERED,
    INPUTS_READY,
    *AGREEMENT_TYPES,
    SUBSCRIPTION_FAILING,
    SUBSCRIPTION_SUSPENDED,
    NOTICE_GIVEN,
    NOTICE_REMINDED,
)

SCHEMA_BASE = "urn:mesh:schemas:events:"
"""With an event's type, its `dataschema`; the schema is `schemas/events/{type}.json`."""

SEQUENCE_DIGITS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """An event before the commit gives it its place in the product's sequence.

    Attributes:
        key: names the occurrence within the product; the event's id is derived from type and key,
            so that the same work done twice announces the same event.
        subject: output port and object (`v1/runways`), or what else the event is about.
        trace_id: 32 hexadecimal digits; everything about one drop shares one trace.
        dataref: URL of the data, for those who may read it.
        deprecation: of the output port that it is about; the commit says it.
    """

    type: str
    key: str
    subject: str
    time: datetime
    data: Mapping[str, Any]
    trace_id: str
    dataref: str | None = None
    deprecation: Deprecation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event in its product's sequence.

    Attributes:
        sequence: 1, 2, 3, … without gap within `product`.
    """

    product: ProductId
    sequence: int
    announcement: Announcement = field(repr=False)

    @property
    def type(self) -> str:
        return self.announcement.type

    @property
    def object_name(self) -> str | None:
        """The schema object the event is about; None when it is about the whole product."""
        name = self.announcement.data.get("object")
        return name if isinstance(name, str) else None

    @property
    def id(self) -> str:
        """Deterministic: digest of type and key."""
        named = f"{self.announcement.type}\n{self.announcement.key}"
        return hashlib.sha256(named.encode()).hexdigest()[:32]

    def to_cloudevent(self) -> dict[str, Any]:
        """The event as a CloudEvent in the JSON format (structured mode)."""
        told = self.announcement
        envelope: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.product.source,
            "type": told.type,
            "subject": told.subject,
            "time": event_time(told.time),
            "datacontenttype": "application/json",
            "dataschema": f"{SCHEMA_BASE}{told.type}",
            "sequence": sequence_text(self.sequence),
            "partitionkey": self.product.key,
            "traceparent": f"00-{told.trace_id}-{self.id[:16]}-01",
        }
        if told.dataref is not None:
            envelope["dataref"] = told.dataref
        if told.deprecation is not None:
            envelope |= told.deprecation.to_attributes()
        envelope["data"] = {
            "domain": self.product.domain,
            "product": self.product.product,
            **told.data,
        }
        return envelope


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedEvent:
    """A CloudEvent of the mesh, as it came back from the topic.

    Attributes:
        envelope: the whole CloudEvent, as sent to subscribers.
    """

    product: ProductId
    type: str
    id: str
    sequence: int
    object_name: str | None
    envelope: Mapping[str, Any]

    @classmethod
    def from_cloudevent(cls, envelope: Mapping[str, Any]) -> ReceivedEvent:
        """Read an event that `Event.to_cloudevent` wrote.

        Raises:
            KeyError, ValueError: it is not an event of the mesh.
        """
        data = envelope["data"]
        return cls(
            product=ProductId(domain=data["domain"], product=data["product"]),
            type=envelope["type"],
            id=envelope["id"],
            sequence=int(envelope["sequence"]),
            object_name=data.get("object"),
            envelope=envelope,
        )


def sequence_text(sequence: int) -> str:
    """`sequence` as the CloudEvents sequence extension wants it: its order is that of strings."""
    return f"{sequence:0{SEQUENCE_DIGITS}d}"


def trace_id_of(text: str) -> str:
    """A W3C trace id that is the same whenever the same work is done again."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
