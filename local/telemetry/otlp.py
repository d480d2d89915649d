"""OTLP 1.x requests as rows. Binary and JSON hold the same; in JSON, ids are hexadecimal."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE

REQUESTS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
_IDS = {"traceId", "spanId", "parentSpanId"}


class MalformedRequestError(ValueError):
    """It is no OTLP request of its kind; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A span; times in nanoseconds since 1970, ids hexadecimal, `parent` empty for a root."""

    trace: str
    span: str
    parent: str
    name: str
    service: str
    kind: int
    start: int
    end: int
    failed: bool
    status_message: str
    attributes: dict[str, Any]
    links: list[dict[str, str]]
    events: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A point of a metric's series.

    Attributes:
        cumulative: whether it counts from `start`, not from the point before.
        value: of a counter or gauge, or the sum of a histogram.
        count: of the values in a histogram; 1 otherwise.
    """

    name: str
    kind: str
    unit: str
    service: str
    attributes: dict[str, Any]
    start: int
    time: int
    cumulative: bool
    value: float
    count: int
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """A log record; `severity` after OpenTelemetry: 9 is information, 13 warning, 17 error."""

    time: int
    trace: str
    span: str
    severity: int
    logger: str
    service: str
    body: str
    attributes: dict[str, Any]


def read_request(signal: str, body: bytes, *, is_json: bool) -> Any:
    """Parse a request of `traces`, `metrics` or `logs`.

    Raises:
        MalformedRequestError: it is none.
    """
    request = REQUESTS[signal]()
    try:
        if is_json:
            return ParseDict(
                _with_base64_ids(json.loads(body)), request, ignore_unknown_fields=True
            )
        request.ParseFromString(body)
    except (DecodeError, ParseError, ValueError, TypeError, AttributeError) as wrong:
        kind = "JSON" if is_json else "binary"
        raise MalformedRequestError(
            f"This is no OTLP/{kind} request of {signal}: {wrong}"
        ) from None
    return request


def spans(request: Any) -> Iterator[Span]:
    """The spans of a request."""
    for resource in request.resource_spans:
        service = _service(resource.resource)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace=span.trace_id.hex(),
                    span=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name,
                    service=service,
                    kind=span.kind,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    status_message=span.status.message,
                    attributes=_attributes(span.attributes),
                    links=[
                        {"trace": link.trace_id.hex(), "span": link.span_id.hex()}
                        for link in span.links
                    ],
                    events=[
                        {
                            "name": event.name,
                            "time": event.time_unix_nano,
                            "attributes": _attributes(event.attributes),
                        }
                        for event in span.events
                    ],
                )


def points(request: Any) -> Iterator[Point]:
    """The points of a request; summaries and exponential histograms are left out."""
    for resource in request.resource_metrics:
        service = _service(resource.resource)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from _points(metric, service)


def logs(request: Any) -> Iterator[Log]:
    """The log records of a request."""
    for resource in request.resource_logs:
        service = _service(resource.resource)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                body = _value(record.body)
                yield Log(
                    time=record.time_unix_nano or record.observed_time_unix_nano,
                    trace=record.trace_id.hex(),
                    span=record.span_id.hex(),
                    severity=record.severity_number,
                    logger=scope.scope.name,
                    service=service,
                    body=body if isinstance(body, str) else json.dumps(body, ensure_ascii=False),
                    attributes=_attributes(record.attributes),
                )


def _points(metric: Any, service: str) -> Iterator[Point]:
    kind = metric.WhichOneof("data")
    if kind not in {"sum", "gauge", "histogram"}:
        return
    data = getattr(metric, kind)
    cumulative = (
        kind != "gauge" and data.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    )
    for point in data.data_points:
        is_histogram = kind == "histogram"
        value = point.sum if is_histogram else getattr(point, point.WhichOneof("value") or "as_int")
        yield Point(
            name=metric.name,
            kind={"sum": "counter"}.get(kind, kind),
            unit=metric.unit,
            service=service,
            attributes=_attributes(point.attributes),
            start=point.start_time_unix_nano,
            time=point.time_unix_nano,
            cumulative=cumulative,
            value=float(value),
            count=point.count if is_histogram else 1,
            low=point.min if is_histogram and point.HasField("min") else None,
            high=point.max if is_histogram and point.HasField("max") else None,
        )


def _service(resource: Any) -> str:
    return str(_attributes(resource.attributes).get("service.name", "unknown"))


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def _with_base64_ids(data: Any) -> Any:
    """The form that Protobuf's own JSON has for bytes."""
    if isinstance(data, dict):
        return {
            key: _base64(value)
            if key in _IDS and isinstance(value, str)
            else _with_base64_ids(value)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [_with_base64_ids(item) for item in data]
    return data


def _base64(hexadecimal: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(hexadecimal)).decode()
    except binascii.Error:
        raise ValueError(f"{hexadecimal[:40]!r} is no hexadecimal id") from None
