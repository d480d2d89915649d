"""The SDK of CloudEvents reads what each channel carries, in each of its modes."""

from __future__ import annotations

import json

import pytest
from cloudevents.core.bindings import amqp, http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from mesh.azure.destinations import CONTENT_TYPE, _message
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, Filter, Route, webhook
from mesh.ports import Parcel

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
GOOD = "code,name,area\nCH,Schweiz ü🛬,41285\n".encode()


@pytest.fixture
def told(countries):
    """The request to a webhook, and the event that it was about."""
    for route in (
        webhook("https://fleet.example/hook"),
        Route(channel=Channel.SERVICE_BUS, target="fleet/events"),
    ):
        countries.subscribe(route=route, wanted=Filter())
    countries.land(f"{PLACE}/ü 🛬.csv", GOOD)
    countries.deliver()
    return countries.webhooks.requests[-1], countries.events()[-1]


def same(read, event):
    assert read.get_data() == event["data"]
    assert (read.get_id(), read.get_source(), read.get_type(), read.get_subject()) == (
        event["id"],
        event["source"],
        event["type"],
        event["subject"],
    )
    assert read.get_extension("sequence") == event["sequence"]
    assert read.get_extension("dataref") == event["dataref"]
    return True


def test_a_webhook_is_http_in_structured_mode(told):
    request, event = told
    message = http.HTTPMessage(headers=dict(request.headers), body=request.body)

    assert same(http.from_http(message, JSONFormat(), CloudEvent), event)


def test_it_survives_binary_mode(told):
    request, event = told
    message = http.HTTPMessage(headers=dict(request.headers), body=request.body)
    read = http.from_http(message, JSONFormat(), CloudEvent)

    binary = http.to_binary(read, JSONFormat())

    assert same(http.from_binary(binary, JSONFormat(), CloudEvent), event)


def test_a_message_is_amqp_in_structured_mode(told, countries):
    _, event = told
    arrived = countries.destinations.arrived[-1]
    parcel = Parcel(
        channel=arrived.channel,
        target=arrived.target,
        id=arrived.id,
        event=arrived.event,
        limit=countries.backbone.policy.quick,
    )
    sent = _message(parcel)
    message = amqp.AMQPMessage(
        properties={"content-type": sent.content_type},
        application_properties=dict(sent.application_properties),
        application_data=b"".join(sent.body),
    )

    assert same(amqp.from_structured(message, JSONFormat(), CloudEvent), event)
    assert sent.application_properties["cloudEvents:type"] == event["type"]


def test_an_inbox_holds_the_json_format(told):
    _, event = told

    assert CONTENT_TYPE.startswith("application/cloudevents+json")
    read = JSONFormat().read(CloudEvent, json.dumps(event, ensure_ascii=False).encode())
    assert same(read, event)


@pytest.mark.usefixtures("told")
def test_a_batch_is_a_list_of_them(countries):
    """As Event Grid's client publishes them: `application/cloudevents-batch+json`."""
    from azure.core.messaging import CloudEvent as OfTheClient

    batch = [OfTheClient.from_dict(dict(event)) for event in countries.events()]

    for sent, event in zip(batch, countries.events(), strict=True):
        assert (sent.id, sent.source, sent.data) == (event["id"], event["source"], event["data"])
        assert sent.extensions["sequence"] == event["sequence"]
