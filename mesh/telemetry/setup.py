"""Where telemetry goes: decided by the environment, once, when the app starts.

In Azure: `host.json` says `"telemetryMode": "OpenTelemetry"`, and the worker itself configures
Azure Monitor when `PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY` is true. Doing it here too would
export everything twice. Elsewhere: OTLP over HTTP, when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; the
other variables of OpenTelemetry's specification hold too. Else nothing is loaded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from mesh.telemetry.binding import carry_fields

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
BY_THE_WORKER = "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"
SERVICE = "mvmesh"

_NOISY = ("azure", "urllib3", "opentelemetry", "Host.")
"""Their records below a warning are about the exporting itself, or about every request.

So are the two lines that a local Functions host writes of each invocation, whose spans say the
same; in Azure the host is another process.
"""


class TelemetryUnavailable(RuntimeError):
    """Telemetry is asked for, and what it takes is not installed; the message says what."""


def configure(environ: Mapping[str, str] = os.environ) -> None:
    """Send telemetry where the environment says.

    Raises:
        TelemetryUnavailable: there is an OTLP endpoint and no exporter for it.
    """
    carry_fields()
    if environ.get(BY_THE_WORKER, "").lower() == "true" or not environ.get(ENDPOINT):
        return
    try:
        _export_by_otlp()
    except ModuleNotFoundError as missing:
        message = (
            f"{ENDPOINT} is set, and the Python module {missing.name} is not installed. Install "
            "opentelemetry-exporter-otlp-proto-http and opentelemetry-instrumentation-logging, or "
            "unset it."
        )
        raise TelemetryUnavailable(message) from None


def _export_by_otlp() -> None:
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.metrics import set_meter_provider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import get_tracer_provider, set_tracer_provider

    if isinstance(get_tracer_provider(), TracerProvider):
        return  # somebody else was here first
    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", SERVICE)})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(tracers)
    readers = [PeriodicExportingMetricReader(OTLPMetricExporter())]
    set_meter_provider(MeterProvider(readers, resource=resource))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(logs)
    handler = LoggingHandler(logger_provider=logs)
    handler.addFilter(_is_worth_exporting)
    logging.getLogger().addHandler(handler)


def _is_worth_exporting(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or not record.name.startswith(_NOISY)
