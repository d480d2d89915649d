"""Publishing with the unmodified SDK, and by hand where the SDK is too polite."""

from __future__ import annotations

import asyncio
import io
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from azure.core.credentials import AccessToken, AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient, generate_sas
from azure.eventgrid.aio import EventGridPublisherClient as AsyncPublisherClient

from local.event_grid import DEVELOPMENT_KEY, EventGrid, Topology, read_topology
from local.process import LocalError
from tests.local.event_grid.building import (
    CLOUD,
    CUSTOM,
    OWN,
    cloud_event,
    own_event,
    subscription,
    topology,
    webhook,
)
from tests.local.event_grid.receivers import Webhook

pytestmark = pytest.mark.asyncio

KEY = AzureKeyCredential(DEVELOPMENT_KEY)


def to(hook: Webhook, schema: str, **topic: Any) -> Topology:
    return topology(
        subscription(webhook(hook.url), eventDeliverySchema=schema), schema=schema, **topic
    )


async def test_cloud_events_of_every_kind_arrive_as_they_were(hook: Webhook) -> None:
    events: list[Any] = [
        CloudEvent(source="/shop", type="a", data={"n": 1}, subject="s", extensions={"x": "1"}),
        CloudEvent(source="/shop", type="b", data=b"\x00\xff"),
        cloud_event(traceparent="00-1-2-03"),
    ]
    async with EventGrid(topology=to(hook, CLOUD)) as grid:
        with EventGridPublisherClient(grid.endpoint("orders"), KEY) as client:
            for event in events:
                await asyncio.to_thread(client.send, event)
        received = await hook.got(3)
    first, second, third = sorted((each.json for each in received), key=lambda e: e["type"])
    assert (first["data"], first["subject"], first["x"]) == ({"n": 1}, "s", "1")
    assert second["data_base64"] == "AP8="
    assert third == events[2]
    assert {each.headers["content-type"] for each in received} == {
        "application/cloudevents+json; charset=utf-8"
    }


async def test_event_grid_events_get_their_topic_and_metadata_version(hook: Webhook) -> None:
    event = EventGridEvent(subject="s", event_type="t", data={"n": 1}, data_version="1.0")
    async with EventGrid(topology=to(hook, OWN)) as grid:
        async with AsyncPublisherClient(grid.endpoint("orders"), KEY) as client:
            await client.send(event)
            await client.send([own_event(), own_event()])
        received = await hook.got(3)
    (body,) = next(each.json for each in received if each.json[0]["subject"] == "s")
    assert body["topic"].endswith("/providers/Microsoft.EventGrid/topics/orders")
    assert (body["metadataVersion"], body["dataVersion"]) == ("1", "1.0")
    assert all(len(each.json) == 1 for each in received)


async def test_a_custom_schema_is_mapped_and_delivered_as_it_was(hook: Webhook) -> None:
    mapping = {
        "inputSchemaMappingType": "Json",
        "properties": {
            "eventType": {"sourceField": "kind"},
            "subject": {"sourceField": "path", "defaultValue": "DefaultSubject"},
            "dataVersion": {"defaultValue": "1.0"},
        },
    }
    definition = topology(
        subscription(webhook(hook.url), "plain", eventDeliverySchema="CustomInputSchema"),
        subscription(webhook(hook.url), "own", eventDeliverySchema=OWN),
        subscription(webhook(hook.url), "cloud", eventDeliverySchema=CLOUD),
        schema=CUSTOM,
        inputSchemaMapping=mapping,
    )
    async with EventGrid(topology=definition) as grid:
        async with AsyncPublisherClient(grid.endpoint("orders"), KEY) as client:
            await client.send({"kind": "Created", "more": {"n": 1}})
            with pytest.raises(HttpResponseError, match="requires 'kind' property to be set"):
                await client.send({"path": "/x"})
        received = {each.headers["aeg-subscription-name"]: each for each in await hook.got(3)}
    assert received["PLAIN"].json == [{"kind": "Created", "more": {"n": 1}}]
    (own,) = received["OWN"].json
    assert (own["eventType"], own["subject"], own["dataVersion"]) == (
        "Created",
        "DefaultSubject",
        "1.0",
    )
    assert own["data"] == {"kind": "Created", "more": {"n": 1}}
    cloud = received["CLOUD"].json
    assert (cloud["type"], cloud["source"], cloud["id"]) == ("Created", own["topic"], cloud["id"])


class Token:
    """A token credential that gives anything."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("local", int(time.time()) + 3600)


async def test_credentials(hook: Webhook) -> None:
    async with EventGrid(topology=to(hook, CLOUD)) as grid:
        endpoint = grid.endpoint("orders")
        soon = datetime.now(UTC) + timedelta(minutes=1)
        signature = AzureSasCredential(generate_sas(endpoint, DEVELOPMENT_KEY, soon))
        for credential in (KEY, signature):
            async with AsyncPublisherClient(endpoint, credential) as client:
                await client.send(cloud_event())
        with EventGridPublisherClient(endpoint, Token()) as client:
            await asyncio.to_thread(client.send, cloud_event(), enforce_https=False)
            with pytest.raises(ServiceRequestError, match="non-TLS"):
                await asyncio.to_thread(client.send, cloud_event())
        await hook.got(3)


async def test_credentials_that_are_refused(hook: Webhook) -> None:
    async with EventGrid(topology=to(hook, CLOUD)) as grid:
        endpoint = grid.endpoint("orders")
        ago, soon = (datetime.now(UTC) + timedelta(minutes=n) for n in (-1, 1))
        other = grid.endpoint("another")
        foreign = "bm90LXRoZS1rZXk="
        for credential, reason in (
            (AzureKeyCredential("wrong"), "The key is not a key of this topic."),
            (generate_sas(endpoint, DEVELOPMENT_KEY, ago), "The signature has expired."),
            (generate_sas(endpoint, foreign, soon), "The signature does not match."),
            (generate_sas(other, DEVELOPMENT_KEY, soon), "The signature is for another resource."),
        ):
            if isinstance(credential, str):
                credential = AzureSasCredential(credential)  # noqa: PLW2901 - the same thing
            async with AsyncPublisherClient(endpoint, credential) as client:
                with pytest.raises(ClientAuthenticationError) as refused:
                    await client.send(cloud_event())
            assert refused.value.status_code == 401
            assert reason in refused.value.message
        assert "The request authorization key is not authorized for" in refused.value.message
        async with aiohttp.ClientSession() as http, http.post(endpoint, json=[]) as answer:
            assert answer.status == 401
            body = await answer.json()
        assert body["error"]["code"] == body["error"]["details"][0]["code"] == "Unauthorized"
        assert "aeg-sas-token, aeg-sas-key" in body["error"]["message"]
    assert hook.notifications == []


async def post(
    grid: EventGrid, body: bytes | str, content_type: str, **headers: str
) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"aeg-sas-key": grid.key, "Content-Type": content_type}
    url = f"{grid.endpoint('orders')}?api-version=2018-01-01"
    content = body if isinstance(body, bytes) else body.encode()
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=io.BytesIO(content), headers=named) as answer,
    ):
        text = await answer.text()
        return answer.status, (await answer.json())["error"]["message"] if text else ""


BATCH = "application/cloudevents-batch+json; charset=utf-8"
ONE = "application/cloudevents+json; charset=utf-8"
GOOD = '{"specversion":"1.0","id":"1","source":"/s","type":"t"%s}'


async def test_every_mode_of_cloud_events(hook: Webhook) -> None:
    async with EventGrid(topology=to(hook, CLOUD)) as grid:
        assert await post(grid, GOOD % "", ONE) == (200, "")
        assert await post(grid, GOOD % "", "application/json") == (200, "")
        assert await post(grid, f"[{GOOD % ''},{GOOD % ''}]", BATCH) == (200, "")
        binary = {
            "ce_specversion": "1.0",
            "ce_id": "2",
            "ce_source": "/s",
            "ce_type": "t",
            "ce_subject": "Euro%20%E2%82%AC",
        }
        assert await post(grid, '{"n":1}', "application/json", **binary) == (200, "")
        received = await hook.got(5)
    last = next(each.json for each in received if each.json["id"] == "2")
    assert last == {
        "specversion": "1.0",
        "id": "2",
        "source": "/s",
        "type": "t",
        "subject": "Euro €",
        "datacontenttype": "application/json",
        "data": {"n": 1},
    }


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        ("", ONE, 400, "The request body is not JSON"),
        ("{", ONE, 400, "The request body is not JSON"),
        (GOOD % ',"data":NaN', ONE, 400, "NaN is not a JSON value"),
        ("[" * 100_000, BATCH, 400, "The request body is not JSON"),
        ("[]", BATCH, 400, "The batch is empty."),
        ("{}", BATCH, 400, "Token Expected: StartArray, Actual Token Received: StartObject."),
        ("[]", ONE, 400, "Token Expected: StartObject, Actual Token Received: StartArray."),
        ("[1]", BATCH, 400, "Every event must be a JSON object."),
        ("{}", ONE, 400, "for 'CloudEventV10' schema and requires 'specversion' property"),
        ('{"specversion":"1.0"}', ONE, 400, "requires 'eventType' property to be set."),
        (GOOD.replace('"/s"', '""') % "", ONE, 400, "requires 'source' property to be set."),
        (GOOD.replace('"1"', "1") % "", ONE, 400, "requires 'id' property to be set."),
        (GOOD.replace("1.0", "0.3") % "", ONE, 400, "'specversion' must be '1.0'."),
        (GOOD % ',"time":"today"', ONE, 400, "'time' must be a date and time of RFC 3339"),
        (GOOD % ',"time":"2026-01-01"', ONE, 400, "'time' must be a date and time of RFC 3339"),
        (GOOD % ',"Upper":"x"', ONE, 400, "Attribute name 'Upper' may hold only lower-case"),
        (GOOD % ',"deep":{}', ONE, 400, "Attribute 'deep' must be a string"),
        (GOOD % ',"subject":1', ONE, 400, "Property 'subject' must be a string."),
        (GOOD % ',"data":1,"data_base64":"MQ=="', ONE, 400, "Only one of 'data' and 'data_base64'"),
        (GOOD % "", "text/plain", 415, "The Content-Type header is either missing or it doesn't"),
        (f"[{GOOD % ''}]", OWN, 415, "application/cloudevents-batch+json; charset=UTF-8."),
    ],
)
async def test_a_batch_that_is_not_right_is_refused_as_a_whole(
    hook: Webhook, body: str, content_type: str, status: int, message: str
) -> None:
    async with EventGrid(topology=to(hook, CLOUD)) as grid:
        found = await post(grid, body, content_type)
        assert found[0] == status
        assert message in found[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "/s"}, "Received unexpected property 'source' in JSON"),
        ({"subject": None}, "'EventGridEvent' schema and requires 'subject' property to be set."),
        ({"id": ""}, "requires 'id' property to be set."),
        ({"eventType": 1}, "requires 'eventType' property to be set."),
        ({"eventTime": "now"}, "Property 'eventTime' must be a date and time of RFC 3339"),
        ({"topic": "/elsewhere"}, "Property 'topic' must be left out or be '/subscriptions/"),
        ({"metadataVersion": "2"}, "Property 'metadataVersion' must be left out or be '1'."),
        ({"dataVersion": 1}, "Property 'dataVersion' must be a string."),
    ],
)
async def test_one_bad_event_refuses_its_batch(
    hook: Webhook, change: dict[str, Any], message: str
) -> None:
    async with EventGrid(topology=to(hook, OWN)) as grid:
        async with AsyncPublisherClient(grid.endpoint("orders"), KEY) as client:
            with pytest.raises(HttpResponseError) as refused:
                await client.send([own_event(), own_event(**change), own_event()])
            assert refused.value.status_code == 400
            assert message in refused.value.message
            await client.send(own_event(subject="afterwards"))
        received = await hook.got(1)
    assert [each.json[0]["subject"] for each in received] == ["afterwards"]


async def test_a_megabyte_is_taken_and_more_is_not(hook: Webhook) -> None:
    limit = 1024 * 1024
    empty = "[" + GOOD % ',"data":""' + "]"
    filled = empty.replace('""', '"' + "x" * (limit - len(empty)) + '"')
    async with EventGrid(topology=to(hook, CLOUD)) as grid:
        assert len(filled) == limit
        assert await post(grid, filled, BATCH) == (200, "")
        status, message = await post(grid, filled + " ", BATCH)
    assert status == 413
    assert message == "The request is larger than 1048576 bytes, the limit for a batch of events."


async def test_only_custom_topics_can_be_published_to() -> None:
    definition = read_topology({"systemTopics": [{"name": "landing"}]})
    async with EventGrid(topology=definition) as grid:
        for name in ("landing", "nothing"):
            async with AsyncPublisherClient(grid.endpoint(name), KEY) as client:
                with pytest.raises(ResourceNotFoundError):
                    await client.send(cloud_event())


async def test_other_paths_and_methods_are_refused_in_azures_form() -> None:
    async with EventGrid(topology=topology()) as grid, aiohttp.ClientSession() as http:
        async with http.get(f"{grid.url}/nowhere") as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["message"] == "There is nothing at /nowhere."
        async with http.get(grid.endpoint("orders")) as answer:
            assert answer.status == 405
            assert (await answer.json())["error"]["code"] == "MethodNotAllowed"


async def test_a_key_must_be_able_to_sign() -> None:
    with pytest.raises(LocalError, match=r"must be base64\. Choose another one with --key"):
        await EventGrid(topology=topology(), key="not base64!").start()
