"""A hop while it lasts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.trace import Span, Status, StatusCode, TraceFlags

from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.notification import RecordedAttempt
from mesh.model.onboarding import Onboarding
from mesh.model.record import LedgerEntry
from mesh.telemetry import counting
from mesh.telemetry import names as n

_log = logging.getLogger(n.SCOPE)


class Hop:
    """What a hop learns about itself goes into its span, its metrics and its log."""

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
        since = _since_landing(event, now) if delivered and made.channel != "composite" else None
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


def _since_landing(event: ReceivedEvent, now: datetime) -> float | None:
    landed = event.envelope["data"].get("landed_at")
    if landed is None:
        return None
    return (now - datetime.fromisoformat(landed).astimezone(UTC)).total_seconds()
