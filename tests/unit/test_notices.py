"""The end of an output port is acknowledged by those whom it affects, or their notice runs out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh import landing, notices, onboarding, reminding, subscriptions
from mesh.backbone import Backbone
from mesh.errors import NotFound, Rejected, Unavailable
from mesh.model.names import ProductId
from mesh.model.notice import NoticePolicy, NoticeStanding
from mesh.model.onboarding import Status
from mesh.model.subscription import PULL, Filter
from mesh.model.subscription_events import own_stream
from tests.unit.conftest import contract, declaration

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries"
PRODUCT = f"/products/{PLACE}"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
DAY = timedelta(days=1)
GIVEN, REMINDED = "mesh.notice.given.v1", "mesh.notice.reminded.v1"
RETIRED = "mesh.contract.retired.v1"


def without_area():
    """Version 2 of the contract, which has no `area` any more."""
    document = contract(version="2.0.0")
    del document["schema"][0]["properties"][2]
    return document


def files(said=None, *, first=None, second=True, ports=("1.0.0", "2.0.0")):
    """A declaration whose first version says something of its end, beside the second."""
    old, new = first or contract(), without_area()
    documents = {"1.0.0": old, "2.0.0": new}
    chosen = [version for version in ports if second or version != "2.0.0"]
    made = declaration(
        COUNTRIES,
        *(documents[version] for version in chosen),
        ports=tuple(("countries", version) for version in chosen),
    )
    product = json.loads(made["product.odps.json"])
    custom = [{"property": name, "value": value} for name, value in (said or {}).items()]
    product["outputPorts"][0]["customProperties"] = custom if chosen[0] == "1.0.0" else []
    return {**made, "product.odps.json": json.dumps(product)}


def sunset(world, days):
    return {"deprecationSunset": (world.clock() + timedelta(days=days)).isoformat()}


DEPRECATED = {"deprecated": True}
ONLY_SECOND = {"ports": ("2.0.0",)}


@pytest.fixture
def consumed(countries):
    """`fleet` relies on the area, `maps` on the code, `planning` on everything."""
    for domain, uses in (
        ("fleet", ["countries.area"]),
        ("maps", ["countries.code"]),
        ("planning", ()),
    ):
        subscriptions.subscribe(
            countries.backbone, COUNTRIES, subscriber=domain, route=PULL, wanted=Filter(), uses=uses
        )
    return countries


def acknowledge(world, domain, by="Ada"):
    return notices.acknowledge(world.backbone, COUNTRIES, "countries", 1, domain, by=by)


def notice(world):
    return notices.find(world.backbone, COUNTRIES, "countries", 1)


def told(world, domain):
    return [event for event in world.events(own_stream(domain)) if "notice" in event["type"]]


def types(world, domain):
    return [event["type"] for event in told(world, domain)]


def finding(saga):
    assert saga.status is Status.REFUSED
    [found] = saga.findings
    return found


def retirements(world):
    return [event for event in world.events() if event["type"] == RETIRED]


def test_just_those_whom_it_affects_are_told_what_breaks_and_by_when(consumed):
    consumed.onboard(files(sunset(consumed, 120)))

    [event] = told(consumed, "fleet")
    data = event["data"]
    ends = (consumed.clock() + timedelta(days=120)).isoformat().replace("+00:00", "Z")
    assert event["type"] == GIVEN
    assert (data["subscribed"], data["port"], data["major"]) == (PLACE, "countries", 1)
    assert (data["contract"], data["successor"]) == ({"version": "1.0.0"}, "2.0.0")
    assert (data["acknowledge_by"], data["sunset"]) == (ends, ends)
    assert [(one["field"], one["rule"]) for one in data["affected_by"]] == [("area", "removed")]
    assert [types(consumed, domain) for domain in ("maps", "planning")] == [[], [GIVEN]]
    assert event in consumed.topic.published


def test_without_a_successor_everybody_who_relies_on_it_is_affected(consumed):
    consumed.onboard(files(DEPRECATED, second=False))

    assert [one.domain for one in notice(consumed).asked] == ["fleet", "maps", "planning"]
    [event] = told(consumed, "maps")
    assert [one["message"] for one in event["data"]["affected_by"]] == [
        "countries ends with version 1, and nothing takes its place."
    ]
    assert event["data"]["sunset"] is None


def test_it_ends_early_once_all_have_acknowledged(consumed):
    consumed.onboard(files(sunset(consumed, 120)))
    acknowledge(consumed, "fleet")
    early = finding(consumed.onboard(files(**ONLY_SECOND)))
    acknowledge(consumed, "planning")
    then = consumed.onboard(files(**ONLY_SECOND))

    assert early.rule == "product.ends-early"
    assert early.message == (
        "Version 1 of 'countries' ends before planning acknowledged it; they have until "
        "2027-03-22T12:00:00+00:00."
    )
    assert then.status is Status.REGISTERED
    [event] = retirements(consumed)
    assert (event["data"]["contract"]["version"], event["data"]["successor"]) == ("1.0.0", "2.0.0")
    assert notice(consumed).standing is NoticeStanding.RETIRED


def test_it_ends_once_the_notice_is_over_whoever_is_silent(consumed):
    consumed.onboard(files(DEPRECATED))
    consumed.clock.advance(90 * DAY - timedelta(seconds=1))
    early = finding(consumed.onboard(files(**ONLY_SECOND)))
    consumed.clock.advance(timedelta(seconds=1))

    assert "ends before fleet, planning acknowledged it" in early.message
    assert consumed.onboard(files(**ONLY_SECOND)).status is Status.REGISTERED


def test_nobody_loses_a_port_without_notice(consumed):
    found = finding(consumed.onboard(files(**ONLY_SECOND)))

    assert (found.rule, found.path) == ("product.ends-early", "/outputPorts")
    assert found.message == (
        "Version 1 of 'countries' is gone without notice, and fleet, planning rely on it."
    )


def test_a_sunset_leaves_consumers_their_notice(consumed):
    short = finding(consumed.onboard(files(sunset(consumed, 89))))

    assert (short.rule, short.path) == ("product.short-notice", "/outputPorts/0")
    assert "fleet, planning have notice until 2027-02-20T12:00:00+00:00" in short.message
    assert consumed.onboard(files(sunset(consumed, 90))).status is Status.REGISTERED


@pytest.mark.parametrize(("promised", "days"), [(200, 200), (20, 20), (3, 14)])
def test_a_contract_promises_more_notice_or_less_but_not_less_than_the_least(world, promised, days):
    custom = [{"property": "noticeDays", "value": promised}]
    first = contract(more={"customProperties": custom})
    world.onboard(files(first=first, second=False))
    subscriptions.subscribe(
        world.backbone, COUNTRIES, subscriber="fleet", route=PULL, wanted=Filter()
    )

    world.onboard(files(DEPRECATED, first=first))

    assert notice(world).until == world.clock() + timedelta(days=days)


@pytest.mark.parametrize("wrong", [0, True, "90", 3651, None])
def test_a_notice_that_is_no_number_of_days_is_a_finding(world, wrong):
    custom = [{"property": "other", "value": 1}, {"property": "noticeDays", "value": wrong}]
    found = finding(world.onboard(files(first=contract(more={"customProperties": custom}))))

    assert (found.rule, found.path) == ("contract.notice", "/customProperties/1/value")
    assert found.message == f"noticeDays is {wrong!r}, not a number of days from 1 to 3650."


def test_an_acknowledgement_counts_once_however_often_it_comes(consumed):
    consumed.onboard(files(DEPRECATED))
    first = acknowledge(consumed, "fleet", by="Ada")
    consumed.clock.advance(DAY)

    assert acknowledge(consumed, "fleet", by="Bo") == first
    [asked] = [one for one in first.asked if one.domain == "fleet"]
    assert (asked.acknowledged_by, asked.acknowledged_at) == ("Ada", consumed.clock() - DAY)


def test_two_at_the_same_time_are_both_on_record(consumed):
    """Another domain acknowledges between the reading and the commit of the first."""
    consumed.onboard(files(DEPRECATED))
    rival = iter(["planning"])

    class Raced:
        def __getattr__(self, name):
            return getattr(consumed.backbone.registry, name)

        def notice(self, *key):
            found = consumed.backbone.registry.notice(*key)
            for domain in rival:
                acknowledge(consumed, domain)
            return found

    backbone: Backbone = replace(consumed.backbone, registry=Raced())
    notices.acknowledge(backbone, COUNTRIES, "countries", 1, "fleet", by="Ada")

    assert notice(consumed).unacknowledged == ()


def test_nobody_acknowledges_what_they_are_not_asked(consumed):
    with pytest.raises(NotFound, match="has given no notice of version 1 of 'countries'"):
        acknowledge(consumed, "fleet")
    consumed.onboard(files(DEPRECATED))

    with pytest.raises(Rejected, match="maps is not affected by the end of version 1") as failed:
        acknowledge(consumed, "maps")
    assert (failed.value.problem, failed.value.status) == ("not-affected", 409)
    consumed.onboard(files())
    with pytest.raises(Rejected, match="notice of version 1 of 'countries' is withdrawn") as failed:
        acknowledge(consumed, "fleet")
    assert (failed.value.problem, failed.value.status) == ("notice-over", 409)


def test_reminders_come_once_each_to_who_is_silent(consumed):
    consumed.onboard(files(DEPRECATED))
    acknowledge(consumed, "planning")
    for _ in range(95):
        consumed.clock.advance(DAY)
        reminding.check_all(consumed.backbone)
        reminding.check_all(consumed.backbone)

    assert types(consumed, "fleet") == [GIVEN, REMINDED, REMINDED, REMINDED]
    days = [event["time"][:10] for event in told(consumed, "fleet")]
    assert days == ["2026-11-22", "2027-01-21", "2027-02-13", "2027-02-19"]
    assert (types(consumed, "planning"), types(consumed, "maps")) == ([GIVEN], [])


def test_after_an_outage_one_reminder_says_it(consumed):
    consumed.onboard(files(DEPRECATED))
    consumed.clock.advance(89 * DAY)
    reminding.check_all(consumed.backbone)

    assert types(consumed, "fleet") == [GIVEN, REMINDED]


def test_who_goes_or_relies_on_something_else_is_not_waited_for(consumed):
    consumed.onboard(files(DEPRECATED))
    [fleet] = [
        one for one in consumed.backbone.subscriptions.of_product(COUNTRIES)
        if one.subscriber == "fleet"
    ]  # fmt: skip
    subscriptions.unsubscribe(consumed.backbone, COUNTRIES, fleet.id)
    assert notices.outstanding(consumed.backbone, notice(consumed)) == ("planning",)
    subscriptions.subscribe(
        consumed.backbone,
        COUNTRIES,
        subscriber="planning",
        route=PULL,
        wanted=Filter(),
        uses=["countries.name"],
    )

    assert notices.outstanding(consumed.backbone, notice(consumed)) == ()
    assert consumed.onboard(files(**ONLY_SECOND)).status is Status.REGISTERED


def test_at_its_sunset_a_port_is_retired_by_itself_once(consumed):
    consumed.onboard(files(sunset(consumed, 90)))
    consumed.land(f"{PLACE}/v1/countries/before.csv", GOOD)
    consumed.clock.advance(90 * DAY - timedelta(seconds=1))
    assert reminding.check_all(consumed.backbone) == 0
    late = consumed.drop(f"{PLACE}/v1/countries/late.csv", GOOD)
    consumed.clock.advance(timedelta(seconds=1))

    assert [reminding.check_all(consumed.backbone) for _ in range(2)] == [1, 0]

    [event] = retirements(consumed)
    assert event["deprecated"] is True
    assert event["data"]["objects"] == ["countries"]
    after = consumed.land(f"{PLACE}/v1/countries/after.csv", GOOD)
    assert after.verdict == "rejected"
    assert "Version 1 of 'countries' was retired on 2027-02-20." in after.summary
    assert "v2/countries" in json.dumps(json.loads(consumed.storage.read(after.receipt)))
    assert landing.receive(consumed.backbone, late).verdict == "accepted"
    assert consumed.land(f"{PLACE}/v2/countries/new.csv", b"code,name\nCH,Switzerland\n").accepted


def test_a_port_without_successor_says_that_nothing_takes_its_place(countries):
    countries.onboard(files(sunset(countries, 1), second=False))
    countries.clock.advance(DAY)
    reminding.check_all(countries.backbone)
    entry = countries.land(f"{PLACE}/v1/countries/after.csv", GOOD)

    assert "Nothing takes its place." in json.dumps(
        json.loads(countries.storage.read(entry.receipt))
    )


def test_what_is_retired_stays_so_until_its_sunset_is_put_off(consumed):
    ending = sunset(consumed, 90)
    consumed.onboard(files(ending))
    consumed.clock.advance(90 * DAY)
    reminding.check_all(consumed.backbone)
    again = files(ending)
    product = json.loads(again["product.odps.json"]) | {"version": "1.0.1"}
    consumed.onboard({**again, "product.odps.json": json.dumps(product)})
    assert consumed.land(f"{PLACE}/v1/countries/a.csv", GOOD).verdict == "rejected"

    assert consumed.onboard(files(sunset(consumed, 91))).status is Status.REGISTERED

    assert consumed.land(f"{PLACE}/v1/countries/b.csv", GOOD).verdict == "accepted"
    assert (notice(consumed).standing, notice(consumed).number) == (NoticeStanding.OPEN, 2)
    assert types(consumed, "fleet") == [GIVEN, GIVEN]


def test_putting_it_off_keeps_what_was_acknowledged_and_tells_the_others(consumed):
    consumed.onboard(files(sunset(consumed, 90)))
    acknowledge(consumed, "planning")
    consumed.clock.advance(DAY)
    consumed.onboard(files(sunset(consumed, 120)))

    assert [one.domain for one in notice(consumed).unacknowledged] == ["fleet"]
    assert (types(consumed, "fleet"), types(consumed, "planning")) == ([GIVEN, GIVEN], [GIVEN])


def test_more_that_breaks_is_to_be_acknowledged_anew(consumed):
    consumed.onboard(files(DEPRECATED))
    acknowledge(consumed, "planning")
    consumed.clock.advance(80 * DAY)
    both = files(DEPRECATED)
    product = json.loads(both["product.odps.json"])
    product["outputPorts"][1]["customProperties"] = product["outputPorts"][0]["customProperties"]
    consumed.onboard({**both, "product.odps.json": json.dumps(product)})

    after = notice(consumed)
    assert [one.domain for one in after.unacknowledged] == ["fleet", "maps", "planning"]
    assert after.until == consumed.clock() + 90 * DAY


def test_the_same_declaration_again_tells_nobody_anything(consumed):
    consumed.onboard(files(DEPRECATED))
    before = notice(consumed)
    changed = files(DEPRECATED)
    product = json.loads(changed["product.odps.json"]) | {"version": "1.0.1"}
    consumed.onboard({**changed, "product.odps.json": json.dumps(product)})

    assert notice(consumed) == before
    assert types(consumed, "fleet") == [GIVEN]


def test_who_comes_later_knew_and_is_not_asked(consumed):
    consumed.onboard(files(sunset(consumed, 90)))
    before = notice(consumed)
    consumed.clock.advance(DAY)
    subscriptions.subscribe(
        consumed.backbone, COUNTRIES, subscriber="late", route=PULL, wanted=Filter()
    )
    changed = files(sunset(consumed, 89))
    product = json.loads(changed["product.odps.json"]) | {"version": "1.0.1"}
    consumed.onboard({**changed, "product.odps.json": json.dumps(product)})
    assert notice(consumed) == before

    consumed.onboard(files(sunset(consumed, 99)))

    assert [one.domain for one in notice(consumed).asked] == ["fleet", "planning"]
    assert notice(consumed).given_at == before.given_at
    assert types(consumed, "late") == []


def test_a_successor_that_comes_later_changes_who_is_asked(consumed):
    """First nothing takes the place of version 1; then version 2 does, which keeps the most."""
    consumed.onboard(files(DEPRECATED, second=False))
    acknowledge(consumed, "maps")
    consumed.onboard(files(DEPRECATED))

    after = notice(consumed)
    assert [one.domain for one in after.unacknowledged] == ["fleet", "planning"]
    assert after.number == 2


def test_what_a_crash_left_untold_is_told_by_the_timer_once(consumed):
    class Broken:
        def publish(self, _events):
            raise Unavailable("The topic does not answer.")

    saga = onboarding.request(consumed.backbone, files(DEPRECATED), requested_by="test")
    for _ in range(3):
        onboarding.advance(consumed.backbone, saga.id)
    with pytest.raises(Unavailable):
        onboarding.advance(replace(consumed.backbone, topic=Broken()), saga.id)
    reminding.check_all(consumed.backbone)
    reminding.check_all(consumed.backbone)
    consumed.onboard(files(DEPRECATED))

    for domain in ("fleet", "planning"):
        assert types(consumed, domain) == [GIVEN]
        [published] = [
            event
            for event in consumed.topic.published
            if event["source"] == own_stream(domain).source
        ]
        assert published["type"] == GIVEN


def test_one_products_trouble_does_not_keep_the_others_from_being_told(consumed):
    consumed.onboard(files(sunset(consumed, 90)))
    consumed.clock.advance(90 * DAY)
    other = ProductId(domain="atlas", product="sheet")
    consumed.onboard(declaration(other, contract(other)))

    class Broken:
        def __getattr__(self, name):
            return getattr(consumed.backbone.registry, name)

        def notices(self, product):
            if product == other:
                raise Unavailable("The record does not answer.")
            return consumed.backbone.registry.notices(product)

    with pytest.raises(ExceptionGroup, match="notices of some products"):
        reminding.check_all(replace(consumed.backbone, registry=Broken()))
    assert len(retirements(consumed)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 10, "least_days": 14, "reminder_days": []},
        {"days": 10, "least_days": -1, "reminder_days": []},
        {"days": 4000, "least_days": 1, "reminder_days": []},
        {"days": 10, "least_days": 1, "reminder_days": [-1]},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="notices: 0 ≤ least_days ≤ days ≤ 3650"):
        NoticePolicy.from_data(wrong)


PATH = f"{PRODUCT}/notices/countries/1/acknowledgements"


def test_a_domain_acknowledges_only_for_itself_and_it_is_on_record(api, consumed):
    consumed.onboard(files(DEPRECATED))

    other = api("POST", f"{PATH}/fleet", by="maps=maps.consumer")
    own = [api("POST", f"{PATH}/fleet", by="ada=fleet.consumer") for _ in range(2)]

    assert (other.status, own[0].status) == (403, 200)
    assert own[0].json == own[1].json
    [asked] = own[0].json["asked"]
    assert (asked["consumer"], asked["outstanding"], asked["acknowledged_by"]) == (
        "fleet", False, "ada",
    )  # fmt: skip
    entries = api("GET", "/audit/geography", by="ops=ops").json["entries"]
    about = {entry["about"].get("consumer") for entry in entries if entry["outcome"] == "done"}
    assert "fleet" in about


def test_each_sees_of_a_notice_what_concerns_it(api, consumed):
    consumed.onboard(files(DEPRECATED))

    def asked(caller):
        [found] = api("GET", f"{PRODUCT}/notices", by=caller).json["notices"]
        return [one["consumer"] for one in found["asked"]]

    assert asked("fleet=fleet.consumer") == ["fleet"]
    assert asked("maps=maps.consumer") == []
    assert asked("geo=geography.producer") == asked("ops=ops") == ["fleet", "planning"]
    [port, _] = api("GET", PRODUCT).json["output_ports"]
    assert (port["deprecation"]["asked"], port["deprecation"]["unacknowledged"]) == (2, 2)
    wrong = api("POST", f"{PRODUCT}/notices/countries/one/acknowledgements/fleet")
    assert (wrong.status, wrong.json["type"]) == (404, "urn:mesh:problems:unknown-notice")


def test_a_file_says_that_its_port_is_on_its_way_out(api, consumed):
    consumed.onboard(files(DEPRECATED))
    entry = consumed.land(f"{PLACE}/v1/countries/all.csv", GOOD)
    other = consumed.land(f"{PLACE}/v2/countries/all.csv", b"code,name\nCH,Switzerland\n")

    shown = [api("GET", f"{PRODUCT}/drops/{one.drop}").json for one in (entry, other)]
    assert shown[0]["deprecation"]["unacknowledged"] == 2
    assert shown[1]["deprecation"] is None
