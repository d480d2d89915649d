"""A file's journey as telemetry, made by hand: always the same, so that pictures are."""

from __future__ import annotations

import time
from typing import Any

import httpx

DROP = "71cb8e20e8fc42dfbb4c-eaa5b98c3e19"
TRACE = "0be0bbc607ba4ac2b47e24ae3623e6fb"
READY = "ae100722fa0a03715cf3102b46d24fae"

_KINDS = {"internal": 1, "client": 3, "producer": 4, "consumer": 5}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": f"mesh.{key}", "value": {"stringValue" if isinstance(v, str) else "intValue": v}}
        for key, v in values.items()
    ]


def _span(
    name: str, kind: str, place: tuple[str, str], at: tuple[int, int], **more: Any
) -> dict[str, Any]:
    """A span: its own id and its parent's, when it starts and ends in milliseconds."""
    span, parent = place
    about = {"domain": "aerodromes", "product": "navaids", "drop": DROP, **more.pop("about", {})}
    start = time.time_ns() - 60_000_000_000
    return {
        "traceId": TRACE,
        "spanId": span * 16,
        "parentSpanId": parent * 16,
        "name": name,
        "kind": _KINDS[kind],
        "startTimeUnixNano": str(start + at[0] * 1_000_000),
        "endTimeUnixNano": str(start + at[1] * 1_000_000),
        "attributes": _attributes(about),
        **more,
    }


def send_journey(client: httpx.Client) -> None:
    """Send the journey of a file: one subscriber fails once, and a composite becomes ready."""
    failed = {"status": {"code": 2, "message": "retry"}}
    land = {"step": "land", "verdict": "accepted", "rows": 25, "rejected": 0, "bytes": 3712}
    spans = [
        _span("process landed-files", "consumer", ("1", ""), (0, 132), about=land),
        _span("publish mesh-events", "producer", ("2", "1"), (114, 121), about={"step": "publish"}),
        _span("process product-events", "consumer", ("3", "2"), (127, 143), about={"told": 2}),
        _span(
            "process notifications",
            "consumer",
            ("4", "3"),
            (146, 240),
            about={"attempt": 1, "channel": "composite"},
        ),
        _span("note composite input", "internal", ("5", "4"), (168, 232)),
        _span(
            "process notifications",
            "consumer",
            ("6", "3"),
            (149, 203),
            about={"attempt": 1, "outcome": "retry", "http_status": 503},
            **failed,
        ),
        _span("POST webhook", "client", ("7", "6"), (172, 198), **failed),
        _span(
            "process notifications",
            "consumer",
            ("8", "3"),
            (331, 372),
            about={"attempt": 2, "outcome": "delivered", "http_status": 204},
        ),
        _span("POST webhook", "client", ("9", "8"), (345, 361), about={"http_status": 204}),
    ]
    ready = {"step": "publish", "product": "navaid-coverage", "drop": "none"}
    announced = _span("publish mesh-events", "producer", ("a", ""), (216, 221), about=ready)
    links = [{"traceId": TRACE, "spanId": "2" * 16}, {"traceId": TRACE, "spanId": "5" * 16}]
    spans.append(announced | {"traceId": READY, "links": links})
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "mvmesh"}}]}
    sent = {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": spans}]}]}
    client.post("/v1/traces", json=sent).raise_for_status()
    client.post("/v1/metrics", json=_metrics(service)).raise_for_status()
    client.post("/v1/logs", json=_logs(service)).raise_for_status()


def _metrics(service: dict[str, Any]) -> dict[str, Any]:
    now = time.time_ns()
    drops = [
        {
            "attributes": _attributes({"product": "navaids", "verdict": verdict}),
            "timeUnixNano": str(now - minutes * 60_000_000_000),
            "asInt": str(count),
        }
        for verdict, counts in {"accepted": (3, 5, 2), "rejected": (1, 0, 2)}.items()
        for minutes, count in enumerate(counts)
    ]
    age = [
        {"timeUnixNano": str(now - minutes * 60_000_000_000), "asDouble": 600.0 - minutes * 60}
        for minutes in range(3)
    ]
    metrics = [
        {
            "name": "mesh.drops",
            "unit": "{drop}",
            "sum": {"dataPoints": drops, "aggregationTemporality": 1, "isMonotonic": True},
        },
        {"name": "mesh.product.age", "unit": "s", "gauge": {"dataPoints": age}},
    ]
    return {"resourceMetrics": [{"resource": service, "scopeMetrics": [{"metrics": metrics}]}]}


def _logs(service: dict[str, Any]) -> dict[str, Any]:
    told = [(9, "drop accepted: 0 of 25 rows bad"), (13, "attempt 1 at flight-planning: retry")]
    records = [
        {
            "timeUnixNano": str(time.time_ns() - 59_000_000_000 + place),
            "severityNumber": severity,
            "body": {"stringValue": body},
            "traceId": TRACE,
            "spanId": "1" * 16,
            "attributes": _attributes({"drop": DROP}),
        }
        for place, (severity, body) in enumerate(told)
    ]
    return {"resourceLogs": [{"resource": service, "scopeLogs": [{"logRecords": records}]}]}
