"""OpenTelemetry's own exporters send; what the page is told is what was sent."""

from __future__ import annotations

import gzip
import json
import logging

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from tests.ports.starting import part

RESOURCE = Resource.create({"service.name": "sender"})

JSON_TRACE = {
    "resourceSpans": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]
            },
            "scopeSpans": [
                {
                    "scope": {"name": "my.library"},
                    "spans": [
                        {
                            "traceId": "5B8EFFF798038103D269B633813FC60C",
                            "spanId": "EEE19B7EC3C1B174",
                            "parentSpanId": "EEE19B7EC3C1B173",
                            "name": "I'm a server span",
                            "startTimeUnixNano": "1544712660000000000",
                            "endTimeUnixNano": "1544712661000000000",
                            "kind": 2,
                            "attributes": [
                                {"key": "my.span.attr", "value": {"stringValue": "some value"}}
                            ],
                        }
                    ],
                }
            ],
        }
    ]
}
"""The example of the OTLP specification (opentelemetry-proto, examples/trace.json)."""


def tracer(client, **options):
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{client.base_url}/v1/traces", **options)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test")


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_a_trace_is_shown_as_a_tree_with_its_links(empty, compression):
    tracing = tracer(empty, compression=compression)
    with tracing.start_as_current_span("before") as before:
        pass
    with tracing.start_as_current_span(
        "root", kind=SpanKind.CONSUMER, links=[Link(before.get_span_context())]
    ) as root:
        root.set_attributes({"mesh.drop": "abc", "count": 3, "share": 0.5, "all": ["a", "b"]})
        with tracing.start_as_current_span("child") as child:
            child.set_status(Status(StatusCode.ERROR, "no luck"))
            child.add_event("tried", {"times": 2})

    trace = f"{root.get_span_context().trace_id:032x}"
    shown = empty.get(f"/api/traces/{trace}").json()["spans"]
    assert [(span["name"], span["depth"], span["failed"]) for span in shown] == [
        ("root", 0, False),
        ("child", 1, True),
    ]
    assert shown[0]["attributes"] == {
        "mesh.drop": "abc",
        "count": 3,
        "share": 0.5,
        "all": ["a", "b"],
    }
    assert (shown[0]["kind"], shown[0]["service"]) == ("consumer", "sender")
    assert [link["name"] for link in shown[0]["links"]] == ["before"]
    assert shown[1]["message"] == "no luck"
    assert shown[1]["events"][0]["attributes"] == {"times": 2}
    other = f"{before.get_span_context().trace_id:032x}"
    [linked] = empty.get(f"/api/traces/{other}").json()["spans"][0]["linked_from"]
    assert (linked["trace"], linked["name"]) == (trace, "root")


def test_traces_are_found_by_id_attribute_and_name(empty):
    tracing = tracer(empty)
    for name, drop in (("landing", "d-1"), ("landing", "d%2"), ("onboarding", "d-3")):
        with tracing.start_as_current_span(name, attributes={"mesh.drop": drop}) as span:
            pass
    identity = f"{span.get_span_context().trace_id:032x}"

    def found(words):
        told = empty.get("/api/traces", params={"q": words}).json()
        return [trace["attributes"]["mesh.drop"] for trace in told]

    assert found("") == ["d-3", "d%2", "d-1"]
    assert found("landing") == ["d%2", "d-1"]
    assert found("landing d-1") == ["d-1"]
    assert found(identity[:8]) == ["d-3"]
    assert found("%") == ["d%2"]
    assert found("d-1 onboarding") == []


def test_metrics_have_a_series_for_each_of_their_dimensions(empty):
    exporter = OTLPMetricExporter(endpoint=f"{empty.base_url}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = MeterProvider([reader], resource=RESOURCE, shutdown_on_exit=False)
    meter = provider.get_meter("test")
    counter, histogram = meter.create_counter("drops"), meter.create_histogram("took", unit="s")
    gauge = meter.create_gauge("age")
    for round_ in (1, 2):
        counter.add(5 * round_, {"verdict": "good"})
        counter.add(1, {"verdict": "bad"})
        histogram.record(0.5)
        histogram.record(1.5)
        gauge.set(40 + round_)
        provider.force_flush()
    provider.shutdown()

    told = {metric["name"]: metric for metric in empty.get("/api/metrics").json()}
    drops = {
        series["dimensions"]["verdict"]: [point[1] for point in series["points"]]
        for series in told["drops"]["series"]
    }
    # It counts from its start; what is kept is what each export added.
    assert {verdict: sum(values) for verdict, values in drops.items()} == {"good": 15, "bad": 2}
    [took] = told["took"]["series"]
    assert sum(point[2] for point in took["points"]) == 4
    assert {tuple(point[3:]) for point in took["points"][:1]} == {(0.5, 1.5)}
    assert (told["took"]["kind"], told["took"]["unit"]) == ("histogram", "s")
    assert [point[1] for point in told["age"]["series"][0]["points"]][-1] == 42
    assert list(empty.get("/api/metrics", params={"q": "good"}).json()[0]["series"][0])


def test_records_are_found_by_words_severity_and_trace(empty):
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    exporter = OTLPLogExporter(endpoint=f"{empty.base_url}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = logging.getLogger("tests.telemetry")
    logger.setLevel(logging.INFO)
    handler = LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    try:
        with tracer(empty).start_as_current_span("work") as span:
            logger.info("landed %d rows", 12, extra={"mesh.drop": "abc"})
        logger.warning("receiver is slow")
        try:
            raise LookupError("gone")
        except LookupError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)

    def bodies(**asked):
        return [record["body"] for record in empty.get("/api/logs", params=asked).json()]

    assert bodies() == ["failed", "receiver is slow", "landed 12 rows"]
    assert bodies(least=13) == ["failed", "receiver is slow"]
    assert bodies(q="abc landed") == ["landed 12 rows"]
    assert bodies(q=f"{span.get_span_context().trace_id:032x}") == ["landed 12 rows"]
    [failed] = empty.get("/api/logs", params={"least": 17}).json()
    assert failed["attributes"]["exception.type"] == "LookupError"


def test_json_is_taken_too(empty):
    answer = empty.post("/v1/traces", json=JSON_TRACE)

    assert (answer.status_code, answer.json()) == (200, {})
    [trace] = empty.get("/api/traces").json()
    assert trace["trace"] == "5b8efff798038103d269b633813fc60c"
    [span] = empty.get(f"/api/traces/{trace['trace']}").json()["spans"]
    assert span["span"] == "eee19b7ec3c1b174"
    assert (span["kind"], span["duration_ms"]) == ("server", 1000.0)
    assert span["attributes"] == {"my.span.attr": "some value"}


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b'{"resourceSpans": 7, "resourceMetrics": 7, "resourceLogs": 7}'),
        ("application/x-protobuf", b"\xff\xff"),
    ],
)
def test_what_is_no_request_is_refused_with_a_reason(empty, signal, kind, body):
    answer = empty.post(f"/v1/{signal}", content=body, headers={"Content-Type": kind})

    assert answer.status_code == 400
    assert f"request of {signal}" in answer.json()["message"]
    assert empty.get("/api/counts").json() == {"spans": 0, "points": 0, "logs": 0}


def test_an_id_that_is_none_is_refused(empty):
    broken = json.loads(json.dumps(JSON_TRACE).replace("EEE19B7EC3C1B174", "what?"))

    answer = empty.post("/v1/traces", json=broken)

    assert answer.status_code == 400
    assert "'what?' is no hexadecimal id" in answer.json()["message"]


def test_other_content_and_signals_are_not_taken(empty):
    text = {"Content-Type": "text/plain"}

    assert empty.post("/v1/traces", content=b"x", headers=text).status_code == 415
    assert empty.post("/v1/profiles", json={}).status_code == 404


def test_a_request_that_unpacks_to_too_much_is_not_taken(empty):
    packed = gzip.compress(bytes(40 * 1024 * 1024))
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}

    assert empty.post("/v1/traces", content=packed, headers=headers).status_code == 413


def test_only_this_machine_is_answered(empty):
    assert empty.get("/", headers={"Host": "localhost:1"}).status_code == 200
    foreign = empty.get("/api/traces", headers={"Host": "rebound.example"})

    assert foreign.status_code == 403
    assert foreign.json() == {"error": "This is not rebound.example."}


def test_the_page_runs_nothing_but_its_own(empty):
    page = empty.get("/")

    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "://" not in page.text
    for file in ("viewer.js", "viewer.css", "dom.js", "traces.js", "queries.js", "icon.svg"):
        answer = empty.get(f"/static/{file}")
        assert answer.status_code == 200
        assert "https://" not in answer.text


def test_a_trace_that_is_not_there_is_not_found(empty):
    assert empty.get("/api/traces/0123").status_code == 404


def test_queries_are_offered_and_answered(empty):
    empty.post("/v1/traces", json=JSON_TRACE)
    saved = empty.get("/api/queries").json()

    assert {query["group"] for query in saved} >= {"The mesh", "Failures", "alerts"}
    told = empty.post("/api/kql", json={"query": "AppRequests | project Name, DurationMs"}).json()
    assert [column["name"] for column in told["columns"]] == ["Name", "DurationMs"]
    assert told["rows"] == [["I'm a server span", 1000.0]]


@pytest.mark.parametrize("asked", [{"query": "Nothing | count"}, {}, [], {"query": 7}])
def test_a_query_that_cannot_be_run_is_answered_with_a_reason(empty, asked):
    answer = empty.post("/api/kql", json=asked)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_what_was_received_is_there_after_a_restart(tmp_path):
    for expected in (1, 2):
        with part("local.telemetry", "--port=0", "--state", tmp_path) as ready:
            client = httpx.Client(base_url=ready["url"])
            client.post("/v1/traces", json=JSON_TRACE).raise_for_status()
            assert client.get("/api/counts").json()["spans"] == expected
            client.close()
