"""Each alert is quiet while all is well, and fires when what it is for happens.

The telemetry is what the verbs emit; the queries are those that Azure is given. What Event Grid
cannot deliver it logs itself: tests/local/event_grid/test_failure_log.py has that alert.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from local.telemetry import kql, otlp
from local.telemetry.store import Store
from mesh import expectations, gauges, subscriptions
from mesh.errors import Unavailable
from mesh.model.delivery import DeliveryAttempt
from mesh.model.names import ProductId
from mesh.model.subscription import Filter, webhook
from mesh.telemetry.providers import replace_providers

ALERTS = Path(__file__).parents[2] / "infra" / "kql" / "alerts"
COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}


class Telemetry:
    """What the mesh emits, in the tables that alerts ask."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader(preferred_temporality=DELTA)
        self.store = Store()

    def fired(self, name: str) -> list[dict[str, Any]]:
        """What an alert returns now; any row is an alarm."""
        if spans := self.exporter.get_finished_spans():
            self.store.add_spans(otlp.spans(encode_spans(spans)))
        self.exporter.clear()
        if (data := self.reader.get_metrics_data()) is not None:
            self.store.add_points(otlp.points(encode_metrics(data)))
        text = (ALERTS / f"{name}.kql").read_text(encoding="utf-8")
        text = text.replace('["__DOMAINS__"]', json.dumps(["geography", "aviation"]))
        return kql.run(self.store, text).records()


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    made = Telemetry()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(made.exporter))
    with replace_providers(tracers, MeterProvider([made.reader], shutdown_on_exit=False)):
        yield made
    tracers.shutdown()
    made.store.close()


@pytest.fixture
def daily(telemetry, world, declare, contract_of):
    """A mesh with a product that promises a file each day, and a subscriber."""
    sla = {"slaProperties": [{"property": "frequency", "value": 1, "unit": "d"}]}
    world.onboard(declare(COUNTRIES, contract_of(more=sla)))
    subscriptions.subscribe(
        world.backbone,
        COUNTRIES,
        subscriber="shipping",
        route=webhook("https://shipping.example/hook"),
        wanted=Filter(),
    )
    world.land(f"{PLACE}/first.csv", GOOD)
    world.deliver()
    assert telemetry.exporter.get_finished_spans()  # all of it was told
    return world


def test_there_is_a_test_for_each_alert():
    told = {name.removeprefix("test_").replace("_", "-") for name in globals()}
    without = {path.stem for path in ALERTS.glob("*.kql")} - told

    assert without == {"event-grid-delivery"}


def test_dead_letters(daily, telemetry, monkeypatch):
    gauges.read(daily.backbone)
    assert telemetry.fired("dead-letters") == []

    monkeypatch.setattr(
        type(daily.queues), "dead_letters", lambda _: {"notifications": 2, "onboarding": 0}
    )
    gauges.read(daily.backbone)

    [row] = telemetry.fired("dead-letters")
    assert (row["Queue"], row["DeadLetters"]) == ("notifications", 2)


def test_failures(daily, telemetry):
    daily.topic.failure = Unavailable("not now")
    for number in range(2):
        with pytest.raises(Unavailable):
            daily.land(f"{PLACE}/{number}.csv", GOOD)
    assert telemetry.fired("failures") == []

    with pytest.raises(Unavailable):
        daily.land(f"{PLACE}/2.csv", GOOD)

    [row] = telemetry.fired("failures")
    assert (row["Step"], row["Error"], row["Failures"]) == ("land", "Unavailable", 3)


def test_latency(daily, telemetry):
    assert telemetry.fired("latency") == []

    daily.land(f"{PLACE}/slow.csv", GOOD)
    daily.clock.advance(timedelta(minutes=6))
    daily.deliver()

    [row] = telemetry.fired("latency")
    assert (row["Domain"], row["Product"]) == ("geography", "countries")
    assert row["P95"] == pytest.approx(360)


def test_freshness(daily, telemetry):
    expectations.check_all(daily.backbone)
    assert telemetry.fired("freshness") == []

    daily.clock.advance(timedelta(days=3))
    expectations.check_all(daily.backbone)
    [row] = telemetry.fired("freshness")
    assert (row["Domain"], row["Product"]) == ("geography", "countries")

    daily.land(f"{PLACE}/late.csv", GOOD)
    expectations.check_all(daily.backbone)
    assert telemetry.fired("freshness") == []


@pytest.mark.usefixtures("daily")
def test_silence(telemetry):
    assert [row["Domain"] for row in telemetry.fired("silence")] == ["aviation"]


def test_heartbeat(daily, telemetry, monkeypatch):
    [row] = telemetry.fired("heartbeat")
    assert row["Readings"] == 0

    # Of the queues that there are, all are counted, however few letters are dead.
    monkeypatch.setattr(type(daily.queues), "dead_letters", lambda _: {"notifications": 0})
    gauges.read(daily.backbone)
    assert telemetry.fired("heartbeat") == []


@pytest.mark.parametrize("outcome", ["retry", "refused"])
def test_suspended_subscribers(daily, telemetry, outcome):
    failed = DeliveryAttempt(outcome=outcome, status=500, reason="no", duration_s=0.1)
    daily.webhooks.answers.append(failed)
    daily.land(f"{PLACE}/second.csv", GOOD)
    daily.deliver()
    assert telemetry.fired("suspended-subscribers") == []

    ended = DeliveryAttempt(outcome="gone", status=410, reason="no", duration_s=0.1)
    daily.webhooks.answers.append(ended)
    daily.land(f"{PLACE}/third.csv", GOOD)
    daily.deliver()

    [row] = telemetry.fired("suspended-subscribers")
    assert (row["Product"], row["Subscriber"], row["Outcome"]) == ("countries", "shipping", "gone")
