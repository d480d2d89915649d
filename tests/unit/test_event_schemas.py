"""Each event of the mesh is as its published schema says, and each schema says something."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from mesh import agreements, expectations, reminding, subscriptions
from mesh.model.agreement import AgreementPolicy
from mesh.model.delivery import DeliveryAttempt
from mesh.model.dropped_file import DroppedFile, Place, place_of
from mesh.model.events import EVENT_TYPES, PRODUCT_UPDATED, SCHEMA_BASE, Event
from mesh.model.judgement import Judgement
from mesh.model.names import ProductId
from mesh.model.product import OutputPort
from mesh.model.record import Verdict
from mesh.model.subscription import Filter, webhook
from mesh.model.subscription_events import SUBSCRIPTION_TESTED
from mesh.schemas import FOLDER, load
from tests.thorough import examples

COUNTRIES = ProductId(domain="geography", product="countries")
COVERAGE = ProductId(domain="aviation", product="coverage")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
BAD = b"code,name,area\nCH,Switzerland,-1\n"


def validator(event_type: str) -> Draft202012Validator:
    return Draft202012Validator(
        load(f"events/{event_type}"), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


@pytest.fixture
def told(world, declare, contract_of) -> list[dict[str, Any]]:
    """Events of every type, as they were published."""
    daily = {"slaProperties": [{"property": "frequency", "value": 1, "unit": "d"}]}
    world.onboard(declare(COUNTRIES, contract_of(more=daily)))
    composite = contract_of(COVERAGE, object_name="coverage")
    world.onboard(
        declare(
            COVERAGE,
            composite,
            ports=(("coverage", "1.0.0"),),
            inputs=(("countries", "urn:mesh:geography:countries:countries"),),
        )
    )
    world.onboard(declare(COUNTRIES, contract_of(more=daily), version="1.1.0"))
    failed = DeliveryAttempt(outcome="retry", status=500, reason="500.", duration_s=0.1)
    world.webhooks.answers.extend([failed] * len(world.backbone.policy.schedule))
    subscriptions.subscribe(
        world.backbone,
        COUNTRIES,
        subscriber="fleet",
        route=webhook("https://fleet.example/hook"),
        wanted=Filter(types=frozenset({PRODUCT_UPDATED})),
    )
    world.land(f"{PLACE}/rundate=2026-11/good.csv", GOOD)
    world.land(f"{PLACE}/bad.csv", BAD)
    world.land(f"{PLACE}/what.xlsx", b"PK")
    world.land("geography/countries/v9/countries/lost.csv", GOOD)
    world.land("nowhere/good.csv", GOOD)
    world.deliver()
    for _ in world.backbone.policy.schedule:
        world.clock.advance(timedelta(hours=29))
        world.deliver()
    expectations.check_all(world.backbone)
    world.land(f"{PLACE}/late.csv", GOOD)
    expectations.check_all(world.backbone)
    _agree(world)
    _end(world, declare, contract_of, daily)
    return list(world.topic.published)


def _agree(world):
    backbone = world.backbone
    policy = replace(backbone.policy, agreements=AgreementPolicy(owner_decides=frozenset({"*"})))
    backbone = replace(backbone, policy=policy)
    why = {"by": "test", "reason": "To try."}
    agreements.request(backbone, COUNTRIES, "rivers", purpose="To try.", by="test")
    agreements.refuse(backbone, COUNTRIES, "rivers", **why)
    agreements.approve(backbone, COUNTRIES, "rivers", **why, days=10)
    agreements.check_all(backbone)
    world.clock.advance(timedelta(days=10))
    agreements.check_all(backbone)
    agreements.revoke(backbone, COUNTRIES, "rivers", **why)


def _end(world, declare, contract_of, more):
    """Give notice of a port's end to `fleet`, remind it, and end it."""
    files = declare(COUNTRIES)
    product = json.loads(files["product.odps.json"])
    sunset = (world.clock() + timedelta(days=100)).isoformat()
    custom = [{"property": "deprecationSunset", "value": sunset}]
    product["outputPorts"][0] |= {"version": "1.1.0", "customProperties": custom}
    contract = json.dumps(contract_of(version="1.1.0", more=more))
    world.onboard({"product.odps.json": json.dumps(product), "contract0.odcs.json": contract})
    for days in (70, 30):
        world.clock.advance(timedelta(days=days))
        reminding.check_all(world.backbone)


def test_there_is_a_schema_for_each_type_and_no_other():
    assert {path.stem for path in (FOLDER / "events").iterdir()} == {
        *EVENT_TYPES,
        SUBSCRIPTION_TESTED,
    }


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_schema_is_named_as_events_name_it(event_type):
    schema = load(f"events/{event_type}")

    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"{SCHEMA_BASE}{event_type}"
    assert schema["properties"]["dataschema"] == {"const": schema["$id"]}
    assert schema["properties"]["type"] == {"const": event_type}


def test_events_of_every_type_are_as_their_schemas_say(told):
    assert {event["type"] for event in told} == set(EVENT_TYPES)
    for event in told:
        validator(event["type"]).validate(event)
        assert list(undescribed(event, load(f"events/{event['type']}"))) == []


def test_events_are_cloudevents_to_the_sdk(told):
    for event in told:
        read = JSONFormat().read(CloudEvent, json.dumps(event).encode())
        assert (read.get_id(), read.get_source()) == (event["id"], event["source"])
        assert read.get_data() == event["data"]


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_schema_misses_each_thing_that_it_requires(told, event_type):
    event = next(event for event in told if event["type"] == event_type)
    schema = load(f"events/{event_type}")
    for name in schema["required"]:
        with pytest.raises(ValidationError, match=f"'{name}' is a required property"):
            validator(event_type).validate(without(event, name))
    for name in schema["properties"]["data"]["required"]:
        damaged = {**event, "data": without(event["data"], name)}
        with pytest.raises(ValidationError, match=f"'{name}' is a required property"):
            validator(event_type).validate(damaged)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("specversion", "0.3"),
        ("id", "one"),
        ("source", "/products/1"),
        ("type", "mesh.product.updated.v2"),
        ("time", "yesterday"),
        ("sequence", "7"),
        ("traceparent", "00-0-0-01"),
        ("Data", {}),
    ],
)
def test_a_schema_refuses_a_wrong_attribute(told, name, wrong):
    with pytest.raises(ValidationError):
        validator(told[0]["type"]).validate({**told[0], name: wrong})


def test_a_schema_lets_later_members_pass(told):
    event = copy.deepcopy(told[0])
    event["newattribute"] = "1"
    event["data"]["new_member"] = 1

    validator(event["type"]).validate(event)


names = st.sampled_from(["a.csv", "ö ü.csv", "x" * 200 + ".jsonl", "file", "%41.csv"])
folders = st.sampled_from(
    [PLACE, f"{PLACE}/rundate=2026-11", f"{PLACE}/rundate=", "nowhere", "geography/countries/v0/x"]
)
counts = st.integers(min_value=0, max_value=2**40)


@settings(max_examples=examples(100))
@given(
    folder=folders,
    name=names,
    has_port=st.booleans(),
    verdict=st.sampled_from([Verdict.ACCEPTED, Verdict.REJECTED]),
    rows=counts,
    rejected=counts,
    rules=st.dictionaries(st.text(min_size=1, max_size=20), st.integers(1, 2**40), max_size=5),
    sequence=st.integers(1, 10**19),
    microsecond=st.integers(0, 999_999),
)
def test_whatever_comes_of_a_file_its_events_are_as_their_schemas_say(
    folder, name, has_port, verdict, rows, rejected, rules, sequence, microsecond
):
    at = datetime(2026, 2, 28, 23, 59, 59, microsecond, tzinfo=UTC)
    found = place_of(f"{folder}/{name}")
    place = found if isinstance(found, Place) else None
    port = OutputPort(name="main", version="1.0.0", contract_id="urn:x", objects=("countries",))
    accepted = verdict is Verdict.ACCEPTED and place is not None
    judgement = Judgement(
        verdict=Verdict.ACCEPTED if accepted else Verdict.REJECTED,
        summary="So it is.",
        receipt="receipts/x.json",
        place=place,
        port=port if accepted or (has_port and place) else None,
        rows=rows + rejected,
        accepted=rows,
        rejected=rejected,
        rules=rules,
        published="published/x.csv" if accepted else None,
        published_url="https://storage.example/published/x.csv" if accepted else None,
        quarantined="quarantine/x.csv" if rejected else None,
    )
    dropped = DroppedFile(
        url=f"https://storage.example/landing/{folder}/{name}",
        etag="0x1",
        size=1,
        sequencer="",
        landed_at=at,
    )
    for announcement in judgement.announcements(dropped, at=at):
        event = Event(product=COUNTRIES, sequence=sequence, announcement=announcement)
        validator(event.type).validate(event.to_cloudevent())


def without(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


def undescribed(value: object, schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Members that the schema says nothing of, though it lets them pass."""
    if isinstance(value, dict) and "properties" in schema:
        for name, member in value.items():
            if name not in schema["properties"]:
                yield f"{path}/{name}"
            else:
                yield from undescribed(member, schema["properties"][name], f"{path}/{name}")
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from undescribed(item, schema["items"], f"{path}/-")
