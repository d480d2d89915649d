"""One trace per drop, metrics that count what happened, and in neither what nobody may see."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from mesh import gauges, landing, outbox, subscriptions
from mesh.errors import Unavailable
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import trace_id_of
from mesh.model.names import ProductId
from mesh.model.subscription import Filter, webhook
from mesh.ports import Message
from mesh.telemetry import names as n
from mesh.telemetry.binding import carry_fields
from mesh.telemetry.providers import replace_providers

COUNTRIES = ProductId(domain="geography", product="countries")
COVERAGE = ProductId(domain="aviation", product="coverage")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
BAD = b"code,name,area\nCH,Switzerland,-1\n"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was sent."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    def spans(self, step: n.Step | None = None) -> list[ReadableSpan]:
        """Those of a step, in the order they ended."""
        spans = self.exporter.get_finished_spans()
        return [span for span in spans if step is None or span.attributes[n.STEP] == step.name]

    def one(self, step: n.Step) -> ReadableSpan:
        [span] = self.spans(step)
        return span

    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Dimensions and point of every series, by metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: [(dict(point.attributes), point) for point in metric.data.data_points]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def gauges(self, metric: n.Metric) -> dict[str, float]:
        """What was said of a gauge since this was last asked, by its last dimension."""
        series = self.metrics().get(metric.name, [])
        return {dimensions[metric.dimensions[-1]]: point.value for dimensions, point in series}

    def counted(self, metric: n.Metric, **dimensions: str) -> float:
        return sum(
            point.value
            for found, point in self.metrics().get(metric.name, [])
            if dimensions.items() <= {k.removeprefix("mesh."): v for k, v in found.items()}.items()
        )


@pytest.fixture
def told() -> Iterator[Told]:
    """Send everything here while the test lasts."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    with replace_providers(tracers, MeterProvider([reader], shutdown_on_exit=False)):
        yield Told(exporter=exporter, reader=reader)
    tracers.shutdown()


@pytest.fixture
def subscribed(countries):
    """A mesh with a product and a webhook that wants all its events."""
    subscriptions.subscribe(
        countries.backbone,
        COUNTRIES,
        subscriber="shipping",
        route=webhook("https://shipping.example/hook"),
        wanted=Filter(),
    )
    countries.deliver()
    return countries


def parent(span: ReadableSpan) -> int | None:
    return span.parent and span.parent.span_id


def test_a_drop_is_one_trace_from_landing_to_delivery(subscribed, told):
    entry = subscribed.land(f"{PLACE}/all.csv", GOOD)
    subscribed.deliver()

    land, publish, fan_out, notify, deliver = (
        told.one(step) for step in (n.LAND, n.PUBLISH, n.FAN_OUT, n.NOTIFY, n.DELIVER)
    )
    chain = [land, publish, fan_out, notify, deliver]
    assert {f"{span.context.trace_id:032x}" for span in chain} == {trace_id_of(entry.drop)}
    assert land.parent is None
    assert [parent(span) for span in chain[1:]] == [span.context.span_id for span in chain[:-1]]
    assert len(told.spans()) == len(chain)


def test_the_event_names_the_span_that_published_it(subscribed, told):
    subscribed.land(f"{PLACE}/all.csv", GOOD)

    publish = told.one(n.PUBLISH)
    _, trace, span, flags = subscribed.events()[-1]["traceparent"].split("-")
    assert (f"{publish.context.trace_id:032x}", f"{publish.context.span_id:016x}") == (trace, span)
    assert flags == "01"


def test_spans_are_of_the_kind_and_name_that_queries_rest_on(subscribed, told):
    subscribed.land(f"{PLACE}/all.csv", GOOD)
    subscribed.deliver()

    kinds = {"consumer": SpanKind.CONSUMER, "producer": SpanKind.PRODUCER}
    kinds |= {"client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
    known = {step.name: (step.span, kinds[step.kind]) for step in n.STEPS}
    for span in told.spans():
        assert (span.name, span.kind) == known[span.attributes[n.STEP]]


def test_an_attempt_tells_what_the_receiver_did(subscribed, told):
    subscribed.land(f"{PLACE}/all.csv", GOOD)
    subscribed.clock.advance(timedelta(seconds=3))
    subscribed.deliver()

    notify, deliver = told.one(n.NOTIFY), told.one(n.DELIVER)
    assert notify.attributes[n.SUBSCRIBER] == "shipping"
    assert notify.attributes[n.OUTCOME] == "delivered"
    assert notify.attributes[n.ATTEMPT] == 1
    assert notify.attributes[n.STATUS] == deliver.attributes["http.response.status_code"] == 200
    assert notify.attributes[n.SINCE_LANDING] == 3.0
    assert notify.status.status_code is StatusCode.UNSET


def test_each_attempt_is_a_span_below_the_same_fan_out(subscribed, told):
    failed = DeliveryAttempt(outcome="retry", status=503, reason="busy", duration_s=0.1)
    subscribed.webhooks.answers.append(failed)
    subscribed.land(f"{PLACE}/all.csv", GOOD)
    subscribed.deliver()
    subscribed.clock.advance(timedelta(minutes=1))
    subscribed.deliver()

    first, second = told.spans(n.NOTIFY)
    assert [span.attributes[n.ATTEMPT] for span in (first, second)] == [1, 2]
    assert parent(first) == parent(second) == told.one(n.FAN_OUT).context.span_id
    assert first.status.status_code is StatusCode.ERROR
    assert first.attributes[n.STATUS] == 503
    assert told.counted(n.NOTIFICATIONS, outcome="retry", channel="push") == 1
    assert told.counted(n.NOTIFICATIONS, outcome="delivered", channel="push") == 1


def test_a_drop_that_comes_again_is_in_the_same_trace_and_counted_as_such(countries, told):
    dropped = countries.drop(f"{PLACE}/all.csv", GOOD)
    landing.receive(countries.backbone, dropped)
    landing.receive(countries.backbone, dropped)

    first, second = told.spans(n.LAND)
    assert first.context.trace_id == second.context.trace_id
    assert first.context.span_id != second.context.span_id
    assert second.attributes[n.OUTCOME] == "duplicate"
    assert told.counted(n.DROPS) == 1
    assert told.counted(n.DUPLICATES, domain="geography", product="countries") == 1


def test_what_encloses_a_hop_in_another_trace_is_linked(countries, told):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("host")
    with tracer.start_as_current_span("invocation") as invocation:
        entry = countries.land(f"{PLACE}/all.csv", GOOD)

    land = told.one(n.LAND)
    assert f"{land.context.trace_id:032x}" == trace_id_of(entry.drop)
    assert [link.context for link in land.links] == [invocation.get_span_context()]
    assert told.one(n.PUBLISH).links == ()


def test_a_composite_that_becomes_ready_is_linked_with_all_its_inputs(
    countries, declare, contract_of, told
):
    inputs = (
        ("countries", "urn:mesh:geography:countries:countries"),
        ("rivers", "urn:mesh:geography:rivers:rivers"),
    )
    rivers = ProductId(domain="geography", product="rivers")
    port = (("rivers", "1.0.0"),)
    countries.onboard(declare(rivers, contract_of(rivers, object_name="rivers"), ports=port))
    composite = contract_of(COVERAGE, object_name="coverage")
    made = declare(COVERAGE, composite, ports=(("coverage", "1.0.0"),), inputs=inputs)
    assert countries.onboard(made).status == "registered"
    countries.deliver()

    drops = [
        countries.land(f"{PLACE}/all.csv", GOOD),
        countries.land("geography/rivers/v1/rivers/all.csv", GOOD),
    ]
    countries.deliver()

    ready = [
        span
        for span in told.spans(n.PUBLISH)
        if span.attributes[n.EVENT_TYPE] == "mesh.composite.inputs-ready.v1"
    ]
    [announced] = ready
    linked = {f"{link.context.trace_id:032x}" for link in announced.links}
    assert linked == {trace_id_of(entry.drop) for entry in drops}
    published = {span.context.span_id for span in told.spans(n.PUBLISH)}
    assert {link.context.span_id for link in announced.links} <= published | {
        span.context.span_id for span in told.spans(n.COMPOSE)
    }
    assert announced.parent is None


def test_the_steps_of_an_onboarding_share_a_trace(world, declare, told):
    world.onboard(declare())

    steps = told.spans(n.ONBOARD)
    assert [span.attributes[n.OUTCOME] for span in steps] == [*3 * ["running"], "registered"]
    assert len({span.context.trace_id for span in steps}) == 1
    assert steps[-1].attributes[n.PRODUCT] == "countries"
    [publish] = {span.context.trace_id for span in told.spans(n.PUBLISH)}
    assert publish != steps[0].context.trace_id
    assert all(span.links for span in told.spans(n.PUBLISH))


def test_drops_rows_and_events_are_counted(countries, told):
    countries.land(f"{PLACE}/good.csv", GOOD)
    countries.land(f"{PLACE}/bad.csv", BAD)
    countries.land("nowhere/lost.csv", GOOD)

    assert told.counted(n.DROPS, verdict="accepted", product="countries") == 1
    assert told.counted(n.DROPS, verdict="rejected", product="countries") == 1
    assert told.counted(n.DROPS, verdict="rejected", domain="unplaced") == 1
    assert told.counted(n.ROWS_READ, product="countries") == 3
    assert told.counted(n.REJECTS, product="countries") == 1
    assert told.counted(n.EVENTS, event_type="mesh.file.quarantined.v1") == 2


def test_metrics_are_counted_whatever_is_sampled(countries):
    reader = InMemoryMetricReader()
    tracers = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    told = Told(exporter=InMemorySpanExporter(), reader=reader)
    with replace_providers(tracers, MeterProvider([reader], shutdown_on_exit=False)):
        countries.land(f"{PLACE}/all.csv", GOOD)
        assert told.counted(n.DROPS) == 1


def test_hops_are_timed_by_how_they_end(countries, told):
    countries.topic.failure = Unavailable("the topic does not answer")
    with pytest.raises(Unavailable):
        countries.land(f"{PLACE}/all.csv", GOOD)

    found = {
        (dimensions[n.STEP], dimensions[n.OUTCOME]): point.count
        for dimensions, point in told.metrics()[n.HOP_DURATION.name]
    }
    assert found == {("land", "error"): 1, ("publish", "error"): 1}
    assert told.counted(n.EVENTS) == 0


def test_an_exception_is_told_by_its_class_only(countries, told):
    countries.topic.failure = Unavailable("the cell 41285 of Switzerland")
    with pytest.raises(Unavailable):
        countries.land(f"{PLACE}/all.csv", GOOD)

    for span in told.spans():
        assert span.attributes[n.ERROR] == "Unavailable"
        assert span.status.status_code is StatusCode.ERROR
        assert span.events == ()
        assert "Switzerland" not in span.to_json()


def test_what_the_outbox_relays_later_is_in_the_drops_trace(countries, told):
    countries.topic.failure = Unavailable("not now")
    with pytest.raises(Unavailable):
        countries.land(f"{PLACE}/all.csv", GOOD)
    countries.topic.failure = None
    outbox.relay(countries.backbone, COUNTRIES)

    land, (failed, relayed) = told.one(n.LAND), told.spans(n.PUBLISH)
    assert relayed.context.trace_id == land.context.trace_id
    assert relayed.context.span_id == failed.context.span_id
    assert relayed.parent is None


@pytest.mark.usefixtures("told")
def test_records_within_a_hop_carry_its_fields(subscribed, caplog):
    carry_fields()
    carry_fields()  # once is enough
    caplog.set_level(logging.INFO, logger=n.SCOPE)
    entry = subscribed.land(f"{PLACE}/all.csv", GOOD)
    subscribed.deliver()
    logging.getLogger("elsewhere").warning("outside")

    landed, notified, outside = caplog.records
    assert {name: vars(landed)[name] for name in (n.DOMAIN, n.PRODUCT, n.DROP, n.STEP)} == {
        n.DOMAIN: "geography",
        n.PRODUCT: "countries",
        n.DROP: entry.drop,
        n.STEP: "land",
    }
    assert vars(notified)[n.EVENT] == subscribed.events()[-1]["id"]
    assert not set(n.LOG_FIELDS) & set(vars(outside))


def test_gauges_tell_age_backlog_and_dead_letters(countries, told):
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.clock.advance(timedelta(hours=2))
    countries.topic.failure = Unavailable("not now")
    with pytest.raises(Unavailable):
        countries.land(f"{PLACE}/bad.csv", BAD)
    countries.queues.send("notifications", [Message(id="a", body={})])

    expected = {
        n.PRODUCT_AGE: {"countries": 7200},
        n.OUTBOX_BACKLOG: {"countries": 1, "files": 0},
        n.DEAD_LETTERS: {"notifications": 0},
    }
    for metric, values in expected.items():
        gauges.read(countries.backbone)
        assert told.gauges(metric) == values


def test_one_products_trouble_does_not_hide_the_others_gauges(
    countries, declare, told, monkeypatch
):
    other = ProductId(domain="geography", product="rivers")
    countries.onboard(declare(other))
    countries.queues.send("notifications", [Message(id="a", body={})])
    snapshots = countries.backbone.registry.snapshots

    def failing(product):
        if product == COUNTRIES:
            raise Unavailable("the table does not answer")
        return snapshots(product)

    monkeypatch.setattr(countries.backbone.registry, "snapshots", failing)
    for metric, read in ((n.OUTBOX_BACKLOG, "rivers"), (n.DEAD_LETTERS, "notifications")):
        with pytest.raises(ExceptionGroup, match="gauges could not be read"):
            gauges.read(countries.backbone)
        assert read in told.gauges(metric)


def test_only_names_that_are_written_down_are_emitted(subscribed, told):
    subscribed.land(f"{PLACE}/all.csv", GOOD)
    subscribed.land(f"{PLACE}/bad.csv", BAD)
    subscribed.deliver()
    gauges.read(subscribed.backbone)

    known = n.emitted()
    allowed = {*known["properties"], "http.request.method", "http.response.status_code"}
    for span in told.spans():
        assert set(span.attributes) <= allowed
    for name, series in told.metrics().items():
        for dimensions, _ in series:
            assert set(dimensions) == set(known["metrics"][name])


def test_without_an_sdk_messages_still_carry_the_trace_of_the_drop(subscribed):
    tracers = NoOpTracerProvider()
    with replace_providers(tracers, MeterProvider([], shutdown_on_exit=False)):
        entry = subscribed.land(f"{PLACE}/all.csv", GOOD)
        subscribed.deliver()
        failed = DeliveryAttempt(outcome="retry", status=503, reason="busy", duration_s=0.1)
        subscribed.webhooks.answers.append(failed)
        subscribed.land(f"{PLACE}/more.csv", GOOD)
        subscribed.deliver()

    assert trace_id_of(entry.drop) in subscribed.events()[-2]["traceparent"]
    [retry] = subscribed.queues.waiting("notifications")
    assert retry.traceparent[3:35] == subscribed.events()[-1]["traceparent"][3:35]


@pytest.mark.parametrize(
    "traceparent", ["", "00", "00-zz-zz-01", f"00-{'0' * 32}-{'0' * 16}-01", "a-b-c-d-e"]
)
def test_an_odd_traceparent_starts_nothing_wrong(subscribed, told, traceparent):
    subscribed.land(f"{PLACE}/all.csv", GOOD)
    subscribed.topic.published[-1]["traceparent"] = traceparent
    subscribed.deliver()

    assert told.one(n.FAN_OUT).context.is_valid
    assert parent(told.one(n.NOTIFY)) == told.one(n.FAN_OUT).context.span_id
