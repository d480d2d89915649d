"""The tables hold what Microsoft's exporter would have sent of the same telemetry."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from azure.monitor.opentelemetry.exporter.export.logs._exporter import _convert_log_to_envelope
from azure.monitor.opentelemetry.exporter.export.metrics._exporter import (
    _convert_point_to_envelope,
)
from azure.monitor.opentelemetry.exporter.export.trace._exporter import _convert_span_to_envelope
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from local.telemetry import kql, otlp
from local.telemetry.store import Store
from tests.thorough import examples

NAMES = st.sampled_from(
    [
        "mesh.drop",
        "mesh.rows",
        "db.system",
        "error.type",
        "plain",
        "exception.type",
        "server.port",
    ]
)
METHODS = st.sampled_from(["POST", "GET"])
STATUS = st.integers(100, 599)
VALUES = st.one_of(st.text(max_size=20), st.integers(-5, 600), st.booleans(), st.floats(0, 9))


def made(kind: SpanKind, attributes: dict[str, Any], *, failed: bool, linked: bool) -> ReadableSpan:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("elsewhere") as elsewhere:
        pass
    with tracer.start_as_current_span("parent"):
        links = [Link(elsewhere.get_span_context())] if linked else []
        with tracer.start_as_current_span(
            "work", kind=kind, attributes=attributes, links=links
        ) as span:
            if failed:
                span.set_status(Status(StatusCode.ERROR))
    return next(span for span in exporter.get_finished_spans() if span.name == "work")


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(list(SpanKind)),
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.none() | st.tuples(METHODS, STATUS),
    st.booleans(),
    st.booleans(),
)
def test_spans_are_requests_and_dependencies(kind, attributes, http, failed, linked):
    if http is not None and kind is SpanKind.CLIENT:
        attributes |= {"http.request.method": http[0], "http.response.status_code": http[1]}
    span = made(kind, attributes, failed=failed, linked=linked)
    envelope = _convert_span_to_envelope(span)
    sent, tags = envelope.data.base_data, envelope.tags
    store = Store()
    store.add_spans(otlp.spans(encode_spans([span])))

    is_request = kind in (SpanKind.SERVER, SpanKind.CONSUMER)
    table = "AppRequests" if is_request else "AppDependencies"
    assert envelope.name.endswith("Request" if is_request else "RemoteDependency")
    [row] = kql.run(store, f"{table} | extend All = tostring(Properties)").records()
    assert row["OperationId"] == tags["ai.operation.id"]
    assert row["ParentId"] == tags["ai.operation.parentId"]
    assert (row["Id"], row["Success"]) == (sent.id, sent.success)
    assert json.loads(row["All"]) == sent.properties
    assert row["Name"] == sent.name
    if not is_request:
        assert row["ResultCode"] == sent.result_code
    hours, minutes, seconds = sent.duration.split(".", 1)[1].split(":")
    assert float(seconds) + 60 * int(minutes) + 3600 * int(hours) == pytest.approx(
        row["DurationMs"] / 1000, abs=0.0011
    )
    store.close()


def test_points_are_sums_with_as_many_items_as_values():
    delta = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
    reader = InMemoryMetricReader(preferred_temporality=delta)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("test")
    meter.create_counter("drops").add(7, {"mesh.verdict": "accepted"})
    meter.create_gauge("age").set(3.5)
    histogram = meter.create_histogram("took")
    histogram.record(1.0)
    histogram.record(4.0)
    data = reader.get_metrics_data()
    provider.shutdown()

    sent = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    told = _convert_point_to_envelope(point, metric.name, resource.resource)
                    [value] = told.data.base_data.metrics
                    properties = told.data.base_data.properties
                    sent[value.name] = (value.value, value.count, value.min, value.max, properties)
    store = Store()
    store.add_points(otlp.points(encode_metrics(data)))

    rows = kql.run(store, "AppMetrics | extend All = tostring(Properties)").records()
    assert {
        row["Name"]: (
            row["Sum"],
            row["ItemCount"],
            row["Min"],
            row["Max"],
            json.loads(row["All"]),
        )
        for row in rows
    } == sent
    store.close()


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR])
@pytest.mark.parametrize("fails", [False, True])
def test_records_are_traces_or_exceptions(level, fails):
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)
    failure = LookupError("gone")
    exc_info = (LookupError, failure, None) if fails else None
    record = logging.getLogger("test").makeRecord(
        "test", level, __file__, 1, "it %s", ("happened",), exc_info, extra={"mesh.drop": "abc"}
    )
    handler.handle(record)
    records = exporter.get_finished_logs()
    [sent] = [_convert_log_to_envelope(record).data for record in records]
    store = Store()
    store.add_logs(otlp.logs(encode_logs(records)))

    table = "AppExceptions" if fails else "AppTraces"
    assert sent.base_type == ("ExceptionData" if fails else "MessageData")
    [row] = kql.run(store, f"{table} | extend All = tostring(Properties)").records()
    assert row["SeverityLevel"] == sent.base_data.severity_level
    assert json.loads(row["All"]) == sent.base_data.properties
    if fails:
        [exception] = sent.base_data.exceptions
        assert (row["ExceptionType"], row["Message"]) == (exception.type_name, exception.message)
    else:
        assert row["Message"] == sent.base_data.message
    store.close()
