"""The log of failed deliveries, as Event Grid's diagnostic setting sends it to Azure Monitor.

One record per failed attempt goes out as OTLP; the telemetry part shows them as the table
`AegDeliveryFailureLogs`. Members and the form of the message are Azure's:
https://learn.microsoft.com/azure/event-grid/diagnostic-logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.event_grid.clock import timestamp

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import LoggerProvider

SCOPE = "Microsoft.EventGrid"
_EXPORT_EVERY_MS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedDelivery:
    """One attempt that failed; times in seconds since 1970.

    Attributes:
        resource_id: of the topic.
        event_id: Event Grid's own id of the event.
        attempts: earlier ones.
        response: what the destination said, or what kept it from being reached.
    """

    resource_id: str
    subscription: str
    event_id: str
    attempts: int
    published: float
    started: float
    ended: float
    outcome: str
    response: str

    @property
    def message(self) -> str:
        members = {
            "outcome": self.outcome,
            "latencyInMs": f"{(self.ended - self.started) * 1000:.0f}",
            "id": self.event_id,
            "state": "FilteredFailingDelivery",
            "deliveryTime": timestamp(self.started),
            "deliveryCount": self.attempts,
            "publishTime": timestamp(self.published),
            "deliveryResponse": f"{self.outcome}: {self.response}".rstrip(": "),
            "errorCode": self.outcome,
        }
        return "Message:" + ", ".join(f"{name}={value}" for name, value in members.items())

    @property
    def attributes(self) -> Mapping[str, str]:
        """Named as OpenTelemetry's collector names those of Azure's resource logs."""
        return {
            "cloud.resource_id": self.resource_id.lower(),
            "azure.category": "DeliveryFailures",
            "azure.operation.name": "Deliver",
            "azure.event_subscription.name": self.subscription.upper(),
        }


class FailureLog:
    """Sends failed deliveries to an OTLP receiver; without one, nowhere."""

    def __init__(self, receiver: str | None = None) -> None:
        """`receiver` is its base URL. Nothing is loaded or sent before the first failure."""
        self._receiver = receiver
        self._provider: LoggerProvider | None = None

    def write(self, failed: FailedDelivery) -> None:
        """Send this one soon; never waits, never raises."""
        if self._receiver is None:
            return
        from opentelemetry._logs import SeverityNumber

        if self._provider is None:
            self._provider = _exporting_to(self._receiver)
        self._provider.get_logger(SCOPE).emit(
            timestamp=int(failed.ended * 1e9),
            severity_number=SeverityNumber.WARN,
            body=failed.message,
            attributes=failed.attributes,
        )

    def close(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()


def _exporting_to(receiver: str) -> LoggerProvider:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource

    provider = LoggerProvider(
        resource=Resource({SERVICE_NAME: "event-grid"}), shutdown_on_exit=False
    )
    exporter = OTLPLogExporter(endpoint=f"{receiver}/v1/logs", timeout=2)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(exporter, schedule_delay_millis=_EXPORT_EVERY_MS)
    )
    return provider
