"""From the drop to the verified signature, over every real hop."""

from __future__ import annotations

import json
import uuid

import pytest
from azure.servicebus import ServiceBusClient

from mesh.model.dropped_file import DroppedFile
from mesh.model.names import ProductId
from tests.unit.conftest import contract, declaration

PRODUCT = "geography/countries"
PLACE = f"{PRODUCT}/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
BAD = b"code,name,area\nCH,Switzerland,41285\nxx,Nowhere,-1\n"


def name(ending="csv"):
    return f"{uuid.uuid4().hex}.{ending}"


def about(file):
    return lambda event: event["data"].get("file") == file


def test_a_good_file_reaches_the_subscriber_signed(mesh, consumer):
    file = name()
    mesh.drop(f"{PLACE}/{file}", GOOD)

    event = consumer.wait_for(about(file))

    assert event["type"] == "mesh.product.updated.v1"
    assert event["data"]["snapshot"]["rows"] == 2
    container, _, blob = event["data"]["snapshot"]["location"].partition("/")
    assert mesh.blobs.get_blob_client(container, blob).download_blob().readall() == GOOD
    assert event["dataref"] == mesh.blobs.get_blob_client(container, blob).url


def test_where_tells_the_whole_journey(mesh, consumer):
    file = name()
    mesh.drop(f"{PLACE}/{file}", GOOD)
    consumer.wait_for(about(file))
    drop = mesh.verdict(PRODUCT, file)

    def told():
        return mesh.api.get(f"/products/{PRODUCT}/drops/{drop['drop']}").json()

    journey = mesh.until(told, lambda data: data["events"][0]["subscribers"][0]["attempts"])

    assert journey["verdict"] == "accepted"
    assert journey["landed_at"] <= journey["received_at"] <= journey["decided_at"]
    [event] = journey["events"]
    [subscriber] = [s for s in event["subscribers"] if s["target"] == consumer.url]
    assert [a["outcome"] for a in subscriber["attempts"]] == ["delivered"]
    assert subscriber["attempts"][0]["status"] == 204


def test_a_bad_file_is_quarantined_with_a_receipt(mesh, consumer):
    file = name()
    mesh.drop(f"{PLACE}/{file}", BAD)

    event = consumer.wait_for(about(file))
    drop = mesh.verdict(PRODUCT, file)

    assert event["type"] == "mesh.file.quarantined.v1"
    assert drop["verdict"] == "rejected"
    found = {(v["row"], v["field"], v["rule"]) for v in mesh.receipt(drop)["violations"]}
    assert found == {(2, "code", "pattern"), (2, "area", "minimum")}
    container, _, blob = mesh.receipt(drop)["locations"]["rejects"].partition("/")
    rejects = mesh.blobs.get_blob_client(container, blob).download_blob().readall()
    assert rejects == b"code,name,area\nxx,Nowhere,-1\n"


def test_a_set_that_a_correction_completes_is_told_once(mesh):
    regions = ProductId(domain="geography", product="regions")
    members = {"property": "fileSet", "value": {"members": ["north.csv", "south.csv"]}}
    in_sets = contract(regions, more={"customProperties": [members]})
    assert mesh.onboard(declaration(regions, in_sets))["status"] == "registered"
    day = "geography/regions/v1/countries/rundate=2026-11-22"
    mesh.drop(f"{day}/north.csv", GOOD)
    mesh.drop(f"{day}/south.csv", BAD)
    rejected = mesh.verdict(str(regions), "south.csv")
    place = mesh.receipt(rejected)["correction"]["place"]

    mesh.drop(place.removeprefix("landing/"), b"code,name,area\nLS,Lesotho,30355\n")

    def updates():
        told = mesh.api.get(f"/products/{regions}/events").json()["events"]
        return [event for event in told if event["type"] == "mesh.product.updated.v1"]

    [event] = mesh.until(updates, bool)
    told = [(member["file"], member["rows"]) for member in event["data"]["set"]["members"]]
    assert told == [("north.csv", 2), ("south.csv", 2)]
    container, _, blob = event["data"]["snapshot"]["location"].partition("/")
    manifest = json.loads(mesh.blobs.get_blob_client(container, blob).download_blob().readall())
    assert [member["rows"] for member in manifest["members"]] == [2, 2]


def test_a_json_lines_file_goes_the_same_way(mesh, consumer):
    file = name("jsonl")
    row = {"code": "NA", "name": "Namibia", "area": None}
    mesh.drop(f"{PLACE}/{file}", json.dumps(row).encode() + b"\n")

    assert consumer.wait_for(about(file))["type"] == "mesh.product.updated.v1"


def test_a_failing_receiver_is_tried_again_under_the_same_id(mesh, consumer):
    file = name()
    consumer.answers.append(500)
    mesh.drop(f"{PLACE}/{file}", GOOD)

    consumer.wait_for(about(file))

    assert len(consumer.ids) == 2
    assert len(set(consumer.ids)) == 1


def test_a_pull_subscriber_finds_just_its_events(mesh):
    wanted = {"subscriber": "shipping", "filter": {"types": ["mesh.product.updated.v1"]}}
    made = mesh.api.post(f"/products/{PRODUCT}/subscriptions", json=wanted)
    assert made.status_code == 201, made.text
    good, bad = name(), name()
    mesh.drop(f"{PLACE}/{bad}", BAD)
    mesh.verdict(PRODUCT, bad)
    mesh.drop(f"{PLACE}/{good}", GOOD)

    with (
        ServiceBusClient.from_connection_string(mesh.settings["SERVICE_BUS"]) as client,
        client.get_subscription_receiver("product-events", made.json()["target"]) as receiver,
    ):
        [message] = receiver.receive_messages(max_message_count=1, max_wait_time=20)
        receiver.complete_message(message)
        event = json.loads(str(message))

    assert about(good)(event)
    assert mesh.api.delete(made.headers["Location"].removeprefix("/api")).status_code == 204


def test_each_version_of_a_blob_has_its_own_verdict(mesh):
    file = name()
    client = mesh.blobs.get_blob_client("landing", f"{PLACE}/{file}")
    for data, expected in ((BAD, "rejected"), (GOOD, "accepted")):
        etag = client.upload_blob(data, overwrite=True)["etag"].strip('"')
        assert mesh.verdict(PRODUCT, file, etag=etag)["verdict"] == expected

    drops = mesh.api.get(f"/products/{PRODUCT}/drops", params={"file": file}).json()["drops"]
    assert [drop["verdict"] for drop in drops] == ["accepted", "rejected"]


def test_the_events_of_a_product_have_no_gap(mesh):
    events = mesh.api.get(f"/products/{PRODUCT}/events", params={"limit": "1000"}).json()["events"]

    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))


def test_a_misplaced_file_gets_a_verdict(mesh):
    file = name()
    mesh.drop(f"geography/rivers/v1/rivers/{file}", GOOD)

    found = mesh.until(
        lambda: mesh.api.get("/drops", params={"file": file}).json(), lambda data: data["drops"]
    )

    [drop] = found["drops"]
    assert drop["verdict"] == "rejected"
    assert "There is no product geography/rivers" in drop["summary"]


@pytest.mark.parametrize(
    ("webhook", "problem"),
    [
        ("https://user@consumer.example/hook", "invalid-webhook-url"),
        ("https://169.254.169.254/latest", "webhook-not-public"),
        ("https://10.0.0.7/hook", "webhook-not-public"),
        ("http://127.0.0.1:1/hook", "webhook-unverified"),
    ],
)
def test_a_webhook_cannot_be_aimed_just_anywhere(mesh, webhook, problem):
    asked = {"subscriber": "shipping", "webhook": webhook}
    answer = mesh.api.post(f"/products/{PRODUCT}/subscriptions", json=asked)

    assert 400 <= answer.status_code < 500
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["type"] == f"urn:mesh:problems:{problem}"


def test_the_drop_id_follows_from_url_and_etag(mesh):
    file = name()
    client = mesh.blobs.get_blob_client("landing", f"{PLACE}/{file}")
    etag = client.upload_blob(GOOD)["etag"].strip('"')
    drop = mesh.verdict(PRODUCT, file)
    dropped = DroppedFile(
        url=client.url, etag=etag, size=len(GOOD), sequencer="", landed_at=drop["landed_at"]
    )

    assert drop["drop"] == dropped.id
