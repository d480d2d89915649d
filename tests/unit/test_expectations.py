"""What does not arrive is told: late, missed, recovered, once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh import expectations, onboarding_checks
from mesh.model import odcs_rules
from mesh.model.expectation import CALENDAR, expectations_of
from mesh.model.names import ProductId
from tests.thorough import examples
from tests.unit.conftest import World, contract, declaration

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
HOUR = timedelta(hours=1)

DAILY = [
    {"property": "frequency", "value": 1, "unit": "d"},
    {"property": "latency", "value": 2, "unit": "h", "element": "countries"},
]
WEEKDAYS_AT_SIX = [
    {"property": "frequency", "value": 1, "unit": "d", "schedule": "0 6 * * 1-5"},
    {"property": "latency", "value": 2, "unit": "hours"},
]


def onboard(world, sla, calendar=None):
    more = {"slaProperties": sla}
    if calendar:
        more["customProperties"] = [{"property": CALENDAR, "value": calendar}]
    saga = world.onboard(declaration(COUNTRIES, contract(more=more)))
    assert saga.status == "registered", saga.findings


def told(world):
    """What was announced about arrivals: kind and expected time."""
    return [
        (event["type"].split(".")[2], event["data"]["expected_at"])
        for event in world.events()
        if event["type"].split(".")[2] in {"late", "missed", "recovered"}
    ]


def tick(world, pause, *, step=timedelta(minutes=30)):
    """Let time pass, checking on the way as the timer does."""
    until = world.clock() + pause
    while world.clock() < until:
        world.clock.advance(step)
        expectations.check_all(world.backbone)


def test_what_arrives_in_time_is_not_spoken_of(world):
    onboard(world, DAILY)
    for day in range(3):
        tick(world, timedelta(days=1))
        world.land(f"{PLACE}/{day}.csv", GOOD)

    assert told(world) == []


def test_late_then_recovered_once_each(world):
    onboard(world, DAILY)
    tick(world, timedelta(days=1, hours=3))
    assert told(world) == [("late", "2026-11-23T12:00:00Z")]

    world.land(f"{PLACE}/all.csv", GOOD)
    tick(world, 2 * HOUR)

    assert told(world) == [
        ("late", "2026-11-23T12:00:00Z"),
        ("recovered", "2026-11-23T12:00:00Z"),
    ]


def test_what_never_comes_is_missed_each_time(world):
    onboard(world, DAILY)
    tick(world, timedelta(days=3, hours=3))

    assert told(world) == [
        ("late", "2026-11-23T12:00:00Z"),
        ("missed", "2026-11-23T12:00:00Z"),
        ("late", "2026-11-24T12:00:00Z"),
        ("missed", "2026-11-24T12:00:00Z"),
        ("late", "2026-11-25T12:00:00Z"),
    ]
    last = world.events()[-1]["data"]
    assert last["missed_before"] == 2
    assert last["last_arrived_at"] is None


def test_a_bad_file_is_no_arrival(world):
    onboard(world, DAILY)
    tick(world, timedelta(days=1))
    world.land(f"{PLACE}/all.csv", b"code,name,area\nxx,,\n")
    tick(world, 3 * HOUR)

    assert told(world) == [("late", "2026-11-23T12:00:00Z")]


def test_a_schedule_is_in_its_time_zone_and_knows_holidays(world):
    calendar = {"timeZone": "Europe/Zurich", "holidays": ["2026-11-24"]}
    onboard(world, WEEKDAYS_AT_SIX, calendar)  # on a Sunday
    tick(world, timedelta(days=4))

    expected = [at for kind, at in told(world) if kind == "late"]
    assert expected == ["2026-11-23T05:00:00Z", "2026-11-25T05:00:00Z", "2026-11-26T05:00:00Z"]


def test_what_lands_early_counts_for_the_scheduled_time(world):
    onboard(world, WEEKDAYS_AT_SIX)
    tick(world, timedelta(hours=17))  # Monday, an hour before it is expected
    world.land(f"{PLACE}/all.csv", GOOD)
    tick(world, 4 * HOUR)

    assert told(world) == []


def test_summer_time_does_not_shift_the_expected_hour(world):
    world.clock.at = datetime(2026, 10, 23, 12, tzinfo=UTC)
    onboard(world, WEEKDAYS_AT_SIX, {"timeZone": "Europe/Zurich"})
    tick(world, timedelta(days=4))

    # Friday afternoon to Tuesday; clocks went back on Sunday the 25th.
    assert [at for kind, at in told(world) if kind == "late"] == [
        "2026-10-26T05:00:00Z",
        "2026-10-27T05:00:00Z",
    ]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("30 2 * * *", ["25 00:30", "26 01:30", "27 01:30"]),
        ("0 3 * * *", ["25 02:00", "26 02:00", "27 02:00"]),
        ("30 * * * *", ["24 23:30", "25 00:30", "25 01:30"]),
        ("30 */2 * * *", ["25 00:30", "25 03:30", "25 05:30"]),
    ],
)
def test_an_hour_that_comes_twice_is_expected_once(schedule, expected):
    [expectation] = expectations_of(
        {
            "slaProperties": [{"property": "frequency", "value": 1, "schedule": schedule}],
            "customProperties": [{"property": CALENDAR, "value": {"timeZone": "Europe/Zurich"}}],
        },
        port="p",
        major=1,
        objects=["countries"],
    )

    at, found = datetime(2026, 10, 24, 22, 45, tzinfo=UTC), []
    for _ in expected:
        at = expectations.next_time(expectation, at)
        found.append(f"{at:%d %H:%M}")

    assert found == expected


def test_two_checks_at_once_tell_once(world):
    onboard(world, DAILY)
    world.clock.advance(timedelta(days=1, hours=3))
    registry = world.backbone.registry
    commit = registry.commit
    others = []

    def overtaken(change):
        if not others:
            others.append(None)
            others[0] = expectations.check(world.backbone, COUNTRIES)
        commit(change)

    registry.commit = overtaken
    assert expectations.check(world.backbone, COUNTRIES) == 0
    assert others == [1]
    assert told(world) == [("late", "2026-11-23T12:00:00Z")]


def test_a_contract_without_a_frequency_expects_nothing(countries):
    tick(countries, timedelta(days=10), step=timedelta(days=1))

    assert told(countries) == []


def test_one_products_trouble_is_told_after_the_others_were_checked(world):
    onboard(world, DAILY)
    world.clock.advance(timedelta(days=2))
    world.topic.failure = ConnectionError("down")

    with pytest.raises(ExceptionGroup, match="expectations could not be checked"):
        expectations.check_all(world.backbone)


@settings(max_examples=examples(20))
@given(
    arrivals=st.lists(st.integers(1, 60), max_size=5, unique=True).map(sorted),
    pauses=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    scheduled=st.booleans(),
)
def test_how_often_it_is_checked_does_not_matter(arrivals, pauses, scheduled):
    """Between two arrivals, one check tells what many would have told."""
    sla = WEEKDAYS_AT_SIX if scheduled else DAILY
    worlds = [World(), World()]
    for world, often in zip(worlds, (True, False), strict=True):
        onboard(world, sla)
        start = world.clock()
        stops = [*arrivals, 100]
        for before, stop in pairwise([0, *stops]):
            if often:
                for pause in pauses:
                    if before + pause < stop:
                        world.clock.at = start + (before + pause) * HOUR
                        expectations.check_all(world.backbone)
            world.clock.at = start + stop * HOUR
            expectations.check_all(world.backbone)
            if stop != 100:
                world.land(f"{PLACE}/{stop}.csv", GOOD)
                expectations.check_all(world.backbone)

    assert told(worlds[0]) == told(worlds[1])
    assert len(told(worlds[0])) == len(set(told(worlds[0])))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"slaProperties": [{"property": "frequency", "value": 1, "schedule": "at six"}]},
            "'at six' is no cron expression of five fields that names a time.",
        ),
        (
            {"slaProperties": [{"property": "frequency", "value": 1, "schedule": "0 0 31 2 * *"}]},
            "is no cron expression of five fields that names a time.",
        ),
        (
            {"slaProperties": [{"property": "frequency", "value": 1, "schedule": "0 0 30 2 *"}]},
            "'0 0 30 2 *' is no cron expression of five fields that names a time.",
        ),
        (
            {"slaProperties": [{"property": "frequency", "value": 0.001, "unit": "m"}]},
            "A frequency is at least 60 seconds, not 0.001 m.",
        ),
        (
            {"slaProperties": [{"property": "frequency", "value": 1e300}]},
            "A frequency is at most 3660 days, not 1e+300 d.",
        ),
        (
            {"slaProperties": [{"property": "latency", "value": 4000, "unit": "weeks"}]},
            "A latency is at most 3660 days, not 4000 weeks.",
        ),
        (
            {"customProperties": [{"property": CALENDAR, "value": {"timeZone": "Mars"}}]},
            "names the time zone 'Mars', which is none",
        ),
        (
            {"customProperties": [{"property": CALENDAR, "value": {"holidays": ["Easter"]}}]},
            "names the holiday 'Easter', which is no day",
        ),
        (
            {"customProperties": [{"property": CALENDAR, "value": {"holidays": "2026-01-01"}}]},
            "has holidays that are no list",
        ),
        (
            {"customProperties": [{"property": CALENDAR, "value": {"zone": "UTC"}}]},
            "has other members than timeZone and holidays",
        ),
    ],
)
def test_a_schedule_that_cannot_be_understood_is_refused_at_onboarding(world, more, message):
    saga = world.onboard(declaration(COUNTRIES, contract(more=more)))

    assert saga.status == "refused"
    [finding] = saga.findings
    assert message in finding.message
    assert finding.rule in {"contract.schedule", "contract.calendar", "contract.period"}


@pytest.mark.parametrize(
    "entry",
    [
        {"property": "frequency", "value": 1, "schedule": "0 0 30 2 *"},
        {"property": "frequency", "value": 1e300},
        {"property": "frequency", "value": 1e-9},
    ],
)
def test_what_was_published_before_that_was_refused_keeps_nothing_else_from_being_checked(
    world, monkeypatch, entry
):
    monkeypatch.setattr(onboarding_checks, "service_findings", lambda *_, **__: [])
    monkeypatch.setattr(odcs_rules, "service_problems", lambda _: [])
    onboard(world, [entry])

    tick(world, timedelta(days=3), step=timedelta(hours=12))

    assert told(world) == []


@pytest.mark.parametrize(
    ("sla", "every", "grace"),
    [
        ([{"property": "frequency", "value": 1, "unit": "d"}], 24, 1),
        ([{"property": "frequency", "value": 2, "unit": "weeks"}], 336, 1),
        ([{"property": "frequency", "value": 30, "unit": "minutes"}], 0.5, 1),
        ([{"property": "frequency", "value": 1}, {"property": "latency", "value": 4}], 24, 96),
        ([{"property": "frequency", "value": 1, "element": "rivers"}], None, None),
        ([{"property": "frequency", "value": "often"}], None, None),
        ([{"property": "latency", "value": 1, "unit": "h"}], None, None),
    ],
)
def test_the_service_level_is_read_by_its_units(sla, every, grace):
    found = expectations_of({"slaProperties": sla}, port="p", major=1, objects=["countries"])

    if every is None:
        assert found == ()
    else:
        assert found[0].every == every * HOUR
        assert found[0].grace == grace * HOUR
