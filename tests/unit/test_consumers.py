"""Can I publish? Verdicts for each consumer, by what it has registered that it relies on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import agreements, consumers, subscriptions
from mesh.errors import NotFound, Rejected
from mesh.model.compatibility import Change
from mesh.model.consumers import Consumer, verdict_of
from mesh.model.names import ProductId
from mesh.model.subscription import PULL, Filter, State, webhook

COUNTRIES = ProductId(domain="geography", product="countries")
HOOK = webhook("https://fleet.example/hook")
FILE = "countries.odcs.json"


@pytest.fixture
def subscribe(countries):
    """Let a domain be told of `geography/countries`, with what it relies on."""

    def run(subscriber, uses=None, *, route=PULL, wanted=Filter()):  # noqa: B008 - it is frozen
        made = subscriptions.subscribe(
            countries.backbone,
            COUNTRIES,
            subscriber=subscriber,
            route=route,
            wanted=wanted,
            uses=uses,
        )
        return made.subscription

    return run


@pytest.fixture
def ask(countries, contract_of):
    """What publishing another version would change, and for whom."""

    def run(version, edit=None, **more):
        document = contract_of(version=version, more=more)
        if edit is not None:
            edit(document["schema"][0]["properties"])
        text = json.dumps(document)
        return consumers.preview(countries.backbone, COUNTRIES, file=FILE, text=text)

    return run


def told(preview):
    return {
        found.consumer.domain: [(change.object_name, change.field) for change in found.affected_by]
        for found in preview.consumers
    }


def without_area(fields):
    del fields[2]


def wider_code(fields):
    fields[0]["logicalTypeOptions"] = {"pattern": "^[A-Z]{2,3}$"}


def test_only_those_who_rely_on_what_changes_are_affected(subscribe, ask):
    subscribe("fleet", ["countries.code"])
    subscribe("maps", ["countries.area", "countries.name"])
    subscribe("planning")
    subscribe("weather", ["countries"])

    preview = ask("1.1.0", wider_code)

    code = [("countries", "code")]
    assert told(preview) == {"fleet": code, "maps": [], "planning": code, "weather": code}
    assert [found.verdict for found in preview.consumers] == [
        "affected", "unaffected", "affected", "affected",
    ]  # fmt: skip
    assert (preview.verdict, preview.compared_with, preview.port) == (
        "breaking", ("1.0.0",), "countries",
    )  # fmt: skip


def test_a_field_that_is_taken_away_is_told_by_its_name(subscribe, ask):
    subscribe("fleet", ["countries.code"])
    subscribe("maps", ["countries.area"])

    assert told(ask("1.1.0", without_area)) == {"fleet": [], "maps": [("countries", "area")]}


def test_what_breaks_producers_alone_affects_no_consumer(subscribe, ask):
    subscribe("fleet")

    preview = ask("1.1.0", lambda fields: fields[2].update(required=True))

    assert [change.breaks for change in preview.changes] == ["producers"]
    assert (told(preview), preview.verdict) == ({"fleet": []}, "compatible")


def test_a_service_level_concerns_everybody(subscribe, ask, countries, declare, contract_of):
    subscribe("fleet", ["countries.code"])
    promised = [{"property": "availability", "value": 99}]
    document = contract_of(version="1.1.0", more={"slaProperties": promised})
    countries.onboard(declare(COUNTRIES, document, ports=(("countries", "1.1.0"),)))

    preview = ask("1.2.0", slaProperties=[{"property": "availability", "value": 90}])

    assert preview.compared_with == ("1.0.0", "1.1.0")
    assert told(preview) == {"fleet": [("", "")]}


def test_a_new_major_stands_beside_the_old_and_tells_who_has_to_move(subscribe, ask):
    subscribe("fleet", ["countries.code"])
    subscribe("maps", ["countries.area"])

    preview = ask("2.0.0", without_area)

    assert (preview.verdict, preview.compared_with) == ("new-major", ("1.0.0",))
    assert told(preview) == {"fleet": [], "maps": [("countries", "area")]}


def test_what_is_published_changes_nothing(subscribe, ask):
    subscribe("fleet")

    preview = ask("1.0.0")

    assert (preview.changes, preview.verdict, told(preview)) == ((), "compatible", {"fleet": []})


def test_a_domain_relies_on_what_all_its_subscriptions_say_together(subscribe, ask):
    subscribe("fleet", ["countries.name"])
    subscribe("fleet", ["countries.area"], route=HOOK)
    assert told(ask("1.1.0", without_area)) == {"fleet": [("countries", "area")]}
    assert told(ask("1.1.0", wider_code)) == {"fleet": []}

    subscribe("fleet", wanted=Filter(objects=frozenset({"countries"})))
    assert told(ask("1.1.0", wider_code)) == {"fleet": [("countries", "code")]}


def test_who_has_an_agreement_and_no_subscription_relies_on_everything(countries, ask, subscribe):
    for domain in ("fleet", "maps"):
        agreements.request(countries.backbone, COUNTRIES, domain, purpose="To read.", by="test")
    subscribe("maps", ["countries.area"])
    assert told(ask("1.1.0", wider_code)) == {"fleet": [("countries", "code")], "maps": []}

    countries.clock.advance(timedelta(days=400))
    assert "fleet" not in told(ask("1.1.0", wider_code))


@pytest.mark.parametrize(
    ("state", "counts"),
    [(State.SUSPENDED, True), (State.GONE, False), (State.BARRED, False)],
)
def test_subscriptions_that_are_over_count_for_nothing(countries, subscribe, ask, state, counts):
    made = subscribe("fleet", route=HOOK)
    countries.backbone.subscriptions.change(
        COUNTRIES, made.id, lambda found: replace(found, state=state)
    )

    assert bool(told(ask("1.1.0"))) is counts


def test_what_is_relied_on_can_be_said_anew_and_stays_unless_it_is(subscribe, countries):
    made = subscribe("fleet", ["countries.name", "countries.code", "countries.code"])
    assert made.uses == ("countries.code", "countries.name")

    assert subscribe("fleet") == made
    anew = subscribe("fleet", ["countries.area"])
    assert (anew.id, anew.uses) == (made.id, ("countries.area",))
    assert subscribe("fleet", []).uses == ()
    [kept] = subscriptions.of_product(countries.backbone, COUNTRIES)
    assert kept.uses == ()


def test_who_was_gone_and_comes_back_relies_on_what_it_did(countries, subscribe):
    made = subscribe("fleet", ["countries.area"], route=HOOK)
    countries.backbone.subscriptions.change(
        COUNTRIES, made.id, lambda found: replace(found, state=State.GONE)
    )

    again = subscribe("fleet", route=HOOK)

    assert (again.state, again.uses) == (State.ACTIVE, ("countries.area",))


@pytest.mark.parametrize(
    ("use", "problem", "says"),
    [
        (
            "rivers.name",
            "unknown-object",
            "geography/countries has no object 'rivers'; it has countries.",
        ),
        (
            "countries.flag",
            "unknown-field",
            "countries of geography/countries has no field 'flag'; it has area, code, name.",
        ),
        (
            "countries.",
            "unknown-field",
            "countries of geography/countries has no field ''; it has area, code, name.",
        ),
    ],
)
def test_what_is_not_there_cannot_be_relied_on(subscribe, countries, use, problem, says):
    with pytest.raises(Rejected) as refusal:
        subscribe("fleet", ["countries.code", use])

    assert (str(refusal.value), refusal.value.problem) == (says, problem)
    assert subscriptions.of_product(countries.backbone, COUNTRIES) == []


def test_a_stream_of_a_domain_has_no_objects(countries):
    with pytest.raises(
        Rejected, match="fleet/subscriptions has no object 'countries'; it has none"
    ):
        subscriptions.subscribe(
            countries.backbone,
            ProductId(domain="fleet", product="subscriptions"),
            subscriber="fleet",
            route=PULL,
            wanted=Filter(),
            uses=["countries"],
        )


def test_a_published_version_with_another_content(ask):
    with pytest.raises(Rejected, match=r"Version 1\.0\.0 of 'countries' is published with another"):
        ask("1.0.0", without_area)


def test_a_contract_of_another_product(countries, contract_of):
    other = ProductId(domain="geography", product="rivers")
    with pytest.raises(Rejected, match="is one of geography/rivers, not of geography/countries"):
        consumers.preview(
            countries.backbone, COUNTRIES, file=FILE, text=json.dumps(contract_of(other))
        )


def test_no_contract_and_no_product(countries, contract_of):
    with pytest.raises(Rejected, match="is no contract that can be used") as refusal:
        consumers.preview(countries.backbone, COUNTRIES, file=FILE, text="{}")
    assert refusal.value.findings
    with pytest.raises(NotFound, match="There is no product geography/rivers"):
        consumers.preview(
            countries.backbone,
            ProductId(domain="geography", product="rivers"),
            file=FILE,
            text=json.dumps(contract_of()),
        )


def change(object_name, field, *, breaks_consumers=True):
    return Change(
        object_name=object_name,
        field=field,
        rule="type",
        message="It changed.",
        breaks_producers=True,
        breaks_consumers=breaks_consumers,
        verdict="breaking",
    )


@pytest.mark.parametrize(
    ("field", "affected"),
    [
        ("", True),
        ("size", True),
        ("size.height", True),
        ("size[]", True),
        ("sizes", False),
        ("name", False),
    ],
)
def test_parts_of_a_field_are_of_the_field(field, affected):
    consumer = Consumer(domain="fleet", uses=("boxes.size",))

    assert consumer.relies_on(change("boxes", field)) is affected
    assert not consumer.relies_on(change("lids", field))


PLACES = st.tuples(st.sampled_from(["", "a", "b"]), st.sampled_from(["", "x", "y", "x.z"])).map(
    lambda place: place if place[0] else ("", "")
)
USES = st.sets(st.sampled_from(["a", "a.x", "a.y", "b", "b.x"]))


@given(places=st.lists(PLACES, max_size=6), breaks=st.booleans(), uses=USES, more=USES)
def test_who_relies_on_more_is_affected_by_no_less(places, breaks, uses, more):
    changes = [change(*place, breaks_consumers=breaks) for place in places]

    def affected(names):
        consumer = Consumer(domain="fleet", uses=tuple(sorted(names)))
        return set(verdict_of(consumer, changes).affected_by)

    if uses:
        assert affected(uses) <= affected(uses | more)
    assert affected(uses | more) <= affected(())
    assert affected(()) == (set(changes) if breaks else set())
