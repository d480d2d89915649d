"""A product's events as a feed: pages, tags, a subscription's filter, and waiting for more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mesh import feed, subscriptions
from mesh.errors import NotFound
from mesh.model.events import FILE_QUARANTINED
from mesh.model.names import ProductId
from mesh.model.subscription import PULL, Filter

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
EVENTS = "/products/geography/countries/events"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
BAD = b"code,name,area\nCH,Switzerland,-1\n"


def sequences(answer):
    return [int(event["sequence"]) for event in answer.json["events"]]


def follow(api, answer):
    """The next page, as the answer names it."""
    path, _, query = answer.json["next"].removeprefix("/api").partition("?")
    return api("GET", path, query=dict(part.split("=") for part in query.split("&")))


def test_pages_lead_to_each_other_and_to_what_comes_later(api, countries):
    countries.land(f"{PLACE}/all.csv", GOOD)

    first = api("GET", EVENTS, query={"limit": 2})
    second = follow(api, first)
    end = follow(api, second)
    countries.land(f"{PLACE}/more.csv", GOOD)

    assert [sequences(one) for one in (first, second, end)] == [[1, 2], [3], []]
    assert sequences(follow(api, end)) == [4]
    assert "after=3&" in end.json["next"]


def test_a_page_that_one_has_is_not_sent_again(api, countries):
    page = api("GET", EVENTS)
    tag = page.headers["ETag"]

    again = api("GET", EVENTS, headers={"If-None-Match": tag})
    countries.land(f"{PLACE}/all.csv", GOOD)
    newer = api("GET", EVENTS, headers={"If-None-Match": tag})

    assert (again.status, again.json, again.headers["ETag"]) == (304, None, tag)
    assert (newer.status, sequences(newer)) == (200, [1, 2, 3])
    assert newer.headers["ETag"] != tag


def test_only_what_a_subscription_wants(api, countries):
    made = subscriptions.subscribe(
        countries.backbone,
        COUNTRIES,
        subscriber="fleet",
        route=PULL,
        wanted=Filter(types=frozenset({FILE_QUARANTINED})),
    )
    for number, data in enumerate((GOOD, BAD, GOOD, BAD, GOOD)):
        countries.land(f"{PLACE}/{number}.csv", data)
    query = {"subscription": made.subscription.id, "limit": 1}

    first = api("GET", EVENTS, query=query)
    second = follow(api, first)
    end = follow(api, second)

    assert {event["type"] for event in first.json["events"]} == {FILE_QUARANTINED}
    assert [sequences(one) for one in (first, second, end)] == [[4], [6], []]
    # What it does not want has been looked at, and is not looked at again.
    assert "after=7&" in end.json["next"]
    missing = api("GET", EVENTS, query={"subscription": "none"})
    assert (missing.status, missing.json["type"]) == (
        404,
        "urn:mesh:problems:unknown-subscription",
    )


def waiting(world, meanwhile, **asked):
    """A page that is waited for, while something happens."""
    ask = {"after": 2, "limit": 10, "seconds": 20} | asked

    async def both():
        page = asyncio.create_task(feed.wait(world.backbone, COUNTRIES, **ask))
        await asyncio.sleep(0)
        meanwhile()
        return await page

    return asyncio.run(both())


def test_who_waits_is_answered_when_something_happens(countries):
    page = waiting(countries, lambda: countries.land(f"{PLACE}/all.csv", GOOD))

    assert [int(event["sequence"]) for event in page.events] == [3]


def test_who_waits_for_nothing_is_answered_in_the_end(countries, monkeypatch):
    looked = []
    read = feed.read
    monkeypatch.setattr(feed, "read", lambda *a, **b: looked.append(1) or read(*a, **b))
    monkeypatch.setattr(feed, "_pauses", lambda _: iter((0, 0)))

    page = waiting(countries, lambda: None)
    same = waiting(countries, lambda: None, known=page.tag)

    assert (list(page.events), page.upto, same) == ([], 2, None)
    assert len(looked) == 6


def test_who_has_the_page_waits_for_another(countries):
    known = feed.read(countries.backbone, COUNTRIES, after=0, limit=10).tag

    page = waiting(
        countries, lambda: countries.land(f"{PLACE}/all.csv", GOOD), after=0, known=known
    )

    assert [int(event["sequence"]) for event in page.events] == [1, 2, 3]


@pytest.mark.parametrize("seconds", [0, 1, 5, 20])
def test_pauses_are_as_long_as_was_asked(seconds):
    assert sum(feed._pauses(seconds)) == pytest.approx(seconds)


def test_what_is_not_there(countries):
    nowhere = ProductId(domain="geography", product="rivers")
    with pytest.raises(NotFound, match="There is no product geography/rivers"):
        feed.read(countries.backbone, nowhere, after=0, limit=1)


def test_nobody_waits_for_longer(api):
    answer = api("GET", EVENTS, query={"wait": 21})

    assert (answer.status, answer.json["type"]) == (400, "urn:mesh:problems:invalid-query")
    assert "wait is '21'; it may be a number from 0 to 20." in answer.json["detail"]


def test_the_subscription_of_another_domain_is_nobodys_filter(api, countries):
    made = subscriptions.subscribe(
        countries.backbone,
        COUNTRIES,
        subscriber="fleet",
        route=PULL,
        wanted=Filter(types=frozenset({FILE_QUARANTINED})),
    )
    query = {"subscription": made.subscription.id}

    asked = {by: api("GET", EVENTS, query=query, by=by) for by in ("rivers", "fleet", "geography")}

    assert {by: answer.status for by, answer in asked.items()} == {
        "rivers": 404,
        "fleet": 200,
        "geography": 200,
    }
    assert asked["rivers"].json["type"] == "urn:mesh:problems:unknown-subscription"


def test_while_the_record_says_who_may_read_the_worker_does_something_else(
    api, countries, monkeypatch
):
    """A worker has one event loop: what blocks it stops every other function."""
    asked_in = []
    agreement = countries.backbone.registry.agreement

    def slow(product, consumer):
        asked_in.append(threading.current_thread())
        return agreement(product, consumer)

    monkeypatch.setattr(countries.backbone.registry, "agreement", slow)

    assert api("GET", EVENTS, by="fleet").status == 200
    assert asked_in
    assert threading.main_thread() not in asked_in
