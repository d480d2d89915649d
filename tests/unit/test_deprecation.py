"""A deprecated output port says so in each of its events, and its sunset comes no earlier."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import Draft202012Validator

from mesh import expectations
from mesh.azure.rows import noun, row
from mesh.documents import read_declaration
from mesh.model.declaration import Declaration
from mesh.model.names import ProductId
from mesh.model.onboarding import Status
from mesh.model.product import DataProduct, Deprecation
from mesh.schemas import load
from tests.unit.test_event_schemas import undescribed

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
BAD = b"code,name,area\nCH,Switzerland,-1\n"
SUNSET = "2027-03-01T00:00:00Z"
MIGRATION = "https://geography.example/countries-2"
SAID = {"deprecated": True, "deprecationSunset": SUNSET, "deprecationMigration": MIGRATION}
TOLD = {
    "deprecated": True,
    "deprecationfrom": "2026-11-22T12:00:00Z",
    "deprecationsunset": SUNSET,
    "deprecationmigration": MIGRATION,
}


@pytest.fixture
def files(declare, contract_of):
    """A declaration with version 1, of which something is said, and version 2 beside it."""

    def run(said=None, **more):
        contracts = [contract_of(version=f"{major}.0.0", more=more) for major in (1, 2)]
        ports = (("countries", "1.0.0"), ("countries", "2.0.0"))
        made = declare(COUNTRIES, *contracts, ports=ports)
        product = json.loads(made["product.odps.json"])
        custom = [{"property": name, "value": value} for name, value in (said or {}).items()]
        product["outputPorts"][0]["customProperties"] = custom
        return {**made, "product.odps.json": json.dumps(product)}

    return run


def marks(event):
    return {name: value for name, value in event.items() if name.startswith("deprecat")}


def port_of(files):
    found = read_declaration(files)
    assert isinstance(found, Declaration), found
    return found.product.output_ports[0]


def test_every_event_of_the_port_says_so_and_no_other(world, files):
    daily = [{"property": "frequency", "value": 1, "unit": "d"}]
    world.onboard(files(SAID, slaProperties=daily))
    for major in (1, 2):
        world.land(f"{PLACE}/v{major}/countries/good.csv", GOOD)
        world.land(f"{PLACE}/v{major}/countries/bad.csv", BAD)
    world.clock.advance(timedelta(days=3))
    expectations.check_all(world.backbone)

    of_old = [event for event in world.events() if marks(event)]

    assert {event["type"] for event in of_old} >= {
        "mesh.contract.published.v1",
        "mesh.product.updated.v1",
        "mesh.file.quarantined.v1",
        "mesh.product.late.v1",
    }
    for event in world.events():
        told = event["data"]
        version = told.get("contract", {}).get("version", f"{told.get('major')}.0.0")
        assert marks(event) == (TOLD if version == "1.0.0" else {})
        schema = load(f"events/{event['type']}")
        checker = Draft202012Validator.FORMAT_CHECKER
        Draft202012Validator(schema, format_checker=checker).validate(event)
        assert list(undescribed(event, schema)) == []


def test_subscribers_are_told_when_a_port_is_deprecated(world, files):
    world.onboard(files())
    world.onboard(files(SAID))

    [changed] = [event for event in world.events() if event["type"] == "mesh.product.changed.v1"]
    old, new = changed["data"]["ports"]
    assert marks(old) == TOLD
    assert marks(new) == {}


def test_from_then_on_means_not_before(world, files):
    world.onboard(files())
    world.land(f"{PLACE}/v1/countries/first.csv", GOOD)
    world.onboard(files(SAID))
    world.land(f"{PLACE}/v1/countries/second.csv", GOOD)

    updates = [event for event in world.events() if event["type"] == "mesh.product.updated.v1"]
    assert [marks(event) for event in updates] == [{}, TOLD]


def test_since_when_stays_the_same(world, files):
    world.onboard(files(SAID))
    world.clock.advance(timedelta(days=9))
    world.onboard(files({**SAID, "deprecationSunset": "2027-04-01T00:00:00Z"}))
    world.land(f"{PLACE}/v1/countries/first.csv", GOOD)

    told = marks(world.events()[-1])
    assert told == {**TOLD, "deprecationsunset": "2027-04-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("later", "status"),
    [
        ({"deprecationSunset": "2027-02-28T23:59:59Z"}, Status.REFUSED),
        ({"deprecationSunset": "2027-03-01T01:00:00+01:00", "deprecated": True}, Status.REGISTERED),
        ({"deprecationSunset": "2027-03-02T00:00:00Z"}, Status.REGISTERED),
        ({"deprecated": True}, Status.REGISTERED),
        ({}, Status.REGISTERED),
    ],
)
def test_a_sunset_may_be_put_off_and_comes_no_earlier(world, files, later, status):
    world.onboard(files(SAID))

    saga = world.onboard(files(later))

    assert saga.status is status
    if status is Status.REFUSED:
        [found] = saga.findings
        assert (found.rule, found.path) == ("product.ends-early", "/outputPorts/0")
        assert found.message == (
            "Version 1 of 'countries' ends on 2027-03-01T00:00:00+00:00, as consumers of "
            "geography/countries have been told (there is none now)."
        )


def test_a_port_that_nobody_relies_on_goes_at_any_time(world, files, declare, contract_of):
    world.onboard(files({"deprecated": True}))
    without = declare(COUNTRIES, contract_of(version="2.0.0"), ports=(("countries", "2.0.0"),))

    assert world.onboard(without).status is Status.REGISTERED


@pytest.mark.parametrize(
    ("said", "deprecation"),
    [
        ({}, None),
        ({"deprecated": False}, None),
        ({"something": [1]}, None),
        ({"deprecated": True}, Deprecation()),
        ({"deprecationMigration": MIGRATION}, Deprecation(migration=MIGRATION)),
        (
            {"deprecationSunset": "2027-03-01T01:00:00+01:00"},
            Deprecation(sunset=datetime(2027, 3, 1, tzinfo=UTC)),
        ),
    ],
)
def test_what_a_port_says_of_its_end(files, said, deprecation):
    assert port_of(files(said)).deprecation == deprecation


def test_the_deprecation_of_odps_1_1(files):
    made = files()
    product = json.loads(made["product.odps.json"])
    product["apiVersion"] = "v1.1.0"
    product["outputPorts"][0]["deprecated"] = True

    assert port_of({**made, "product.odps.json": json.dumps(product)}).deprecation == Deprecation()


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("deprecated", "yes", "deprecated is 'yes'."),
        ("deprecationSunset", "soon", "deprecationSunset is 'soon', no time."),
        ("deprecationSunset", "2027-03-01", "deprecationSunset is '2027-03-01', no time."),
        ("deprecationSunset", 2027, "deprecationSunset is 2027, no time."),
        ("deprecationSunset", "0001-01-01T00:00:00+14:00", "no time."),
        ("deprecationMigration", "ask us", "deprecationMigration is 'ask us', no URL."),
        ("deprecationMigration", "https://[x", "deprecationMigration is 'https://[x', no URL."),
        ("deprecationMigration", "http://x.example/", "no URL."),
        ("deprecationMigration", None, "deprecationMigration is None, no URL."),
    ],
)
def test_what_makes_no_sense_is_a_finding(files, name, wrong, says):
    [found] = read_declaration(files({name: wrong}))

    assert found.rule == "declaration.deprecation"
    assert found.path == "/outputPorts/0/customProperties/0/value"
    assert says in found.message


def test_it_outlives_a_table(files):
    declared = read_declaration(files(SAID)).product

    assert noun(DataProduct, row("p", "k", declared)) == declared


def test_the_page_of_a_product_tells_it(api, world, files):
    world.onboard(files(SAID))

    ports = api("GET", "/products/geography/countries").json["output_ports"]

    told = {
        "since": "2026-11-22T12:00:00Z",
        "sunset": SUNSET,
        "migration": MIGRATION,
        "retired_at": None,
        "notice_until": SUNSET,
        "asked": 0,
        "unacknowledged": 0,
    }
    assert [port["deprecation"] for port in ports] == [told, None]
