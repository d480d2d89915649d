"""Destinations of consumers: what may be one, how it is tried, told, held, resumed and replayed."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from mesh import replays, subscriptions, suspensions
from mesh.errors import Rejected
from mesh.model.claim import PAUSE, TOKEN_LASTS
from mesh.model.delivery import DeliveryAttempt
from mesh.model.destination import (
    RESERVED_CONTAINERS,
    RESERVED_ENTITIES,
    event_name,
    parse_destination,
    resource_of,
)
from mesh.model.events import PRODUCT_UPDATED
from mesh.model.names import ProductId
from mesh.model.subscription import Channel, Filter, Route, State
from mesh.model.subscription_events import SUBSCRIPTION_TESTED
from mesh.replays import From
from mesh.schemas import load
from mesh.webhooks.secrets import SigningSecrets
from tests.unit.conftest import contract, declaration

INFRA = Path(__file__).parents[2] / "infra"
COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
TARGETS = {
    Channel.EVENT_GRID: "https://fleet.westeurope-1.eventgrid.azure.net/api/events",
    Channel.SERVICE_BUS: "fleet.servicebus.windows.net/events",
    Channel.INBOX: "https://fleet.blob.core.windows.net/inbox/mesh",
}
ROUTES = [Route(channel=channel, target=target) for channel, target in TARGETS.items()]
COPIES = Route(channel=Channel.INBOX, target=TARGETS[Channel.INBOX], copies=True)
SOUTH = b"code,name,area\nNA,Namibia,\n"
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))
FAILED = DeliveryAttempt(outcome="retry", status=403, reason="403 Forbidden.", duration_s=0.1)


def subscribe(world, route, wanted=UPDATES):
    return world.subscribe(route=route, wanted=wanted)


def told(world):
    """Events that arrived since the last call, but for tests."""
    found = [one for one in world.destinations.arrived if one.event["type"] != SUBSCRIPTION_TESTED]
    world.destinations.arrived.clear()
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.channel)
def test_a_destination_is_tried_and_then_told(countries, route):
    made = subscribe(countries, route)

    [tested] = countries.destinations.arrived
    schema = load(f"events/{SUBSCRIPTION_TESTED}")
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
        tested.event
    )
    assert (made.secret, tested.target) == (None, route.target)
    told(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    [arrived] = told(countries)
    assert arrived.event == countries.events()[-1]
    assert arrived.files == {}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.channel)
def test_a_destination_that_cannot_be_told_is_none(countries, route):
    countries.destinations.answers.append(FAILED)

    with pytest.raises(Rejected) as refused:
        subscribe(countries, route)

    assert refused.value.problem == "destination-unverified"
    assert f"could not be delivered to {route.target}. 403 Forbidden. It has" in str(refused.value)
    assert subscriptions.of_product(countries.backbone, COUNTRIES) == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.channel)
def test_a_destination_has_the_schedule_the_holding_and_the_replays_of_webhooks(countries, route):
    made = subscribe(countries, route)
    told(countries)
    countries.destinations.answers.extend([FAILED] * len(countries.backbone.policy.schedule))
    countries.land(f"{PLACE}/failing.csv", GOOD)
    for _ in countries.backbone.policy.schedule:
        countries.deliver()
        countries.clock.advance(timedelta(hours=29))
    found = subscriptions.find(countries.backbone, COUNTRIES, made.subscription.id)
    assert (found.state, found.failing, found.reason) == (State.SUSPENDED, 100, "403 Forbidden.")
    countries.land(f"{PLACE}/held.csv", GOOD.replace(b"CH", b"NA"))
    countries.deliver()
    assert told(countries) == []

    suspensions.resume(countries.backbone, COUNTRIES, made.subscription.id, held="replay")
    countries.deliver()
    first = told(countries)
    replays.replay(countries.backbone, COUNTRIES, made.subscription.id, start=From(last=2))
    countries.deliver()

    assert [one.event["sequence"] for one in first] == [
        event["sequence"] for event in countries.events() if event["type"] == PRODUCT_UPDATED
    ]
    assert [one.id for one in told(countries)] == [one.id for one in first]


def test_an_inbox_gets_the_data_when_asked(countries):
    made = subscribe(countries, COPIES)
    assert made.subscription.id != subscribe(countries, ROUTES[2]).subscription.id
    subscriptions.unsubscribe(
        countries.backbone, COUNTRIES, subscribe(countries, ROUTES[2]).subscription.id
    )
    told(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()

    [arrived] = told(countries)
    location = arrived.event["data"]["snapshot"]["location"]
    assert arrived.files == {"all.csv": countries.storage.read(location)}
    assert arrived.files == {"all.csv": GOOD}


def test_an_inbox_gets_a_json_file_beside_its_event(countries):
    """Both end in `.json`, and neither is written over the other."""
    subscribe(countries, COPIES)
    told(countries)
    countries.land(f"{PLACE}/all.json", b'[{"code": "CH", "name": "Switzerland", "area": 41285}]')
    countries.deliver()

    [arrived] = told(countries)
    assert [json.loads(one) for one in arrived.files.values()] == [
        [{"code": "CH", "name": "Switzerland", "area": 41285}]
    ]


def test_an_inbox_gets_each_member_of_a_set(world):
    set_of_two = {"property": "fileSet", "value": {"members": ["north.csv", "south.csv"]}}
    world.onboard(declaration(COUNTRIES, contract(more={"customProperties": [set_of_two]})))
    subscribe(world, COPIES)
    told(world)
    world.land(f"{PLACE}/day=1/north.csv", GOOD)
    world.land(f"{PLACE}/day=1/south.csv", SOUTH)
    world.deliver()

    [arrived] = told(world)
    assert arrived.files == {"north.csv": GOOD, "south.csv": SOUTH}


def test_an_inbox_gets_each_part_of_parted_parquet(world):
    """Where bad rows were left out, the parts are all that was published."""
    split = {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 0.9}}
    document = contract(more={"customProperties": [split]})
    document["schema"][0]["properties"][0] |= {"partitioned": True, "partitionKeyPosition": 1}
    world.onboard(declaration(COUNTRIES, document))
    subscribe(world, COPIES)
    told(world)
    names = ["Switzerland", "Namibia", "Nowhere"]
    table = pa.table({"code": ["CH", "NA", "bad"], "name": names, "area": [1, 2, 3]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    world.land(f"{PLACE}/all.parquet", sink.getvalue())
    world.deliver()

    [arrived] = told(world)
    folder = arrived.event["data"]["snapshot"]["location"]
    assert len(arrived.files) == 2
    assert {pq.read_table(io.BytesIO(one)).num_rows for one in arrived.files.values()} == {1}
    assert all(world.storage.read(f"{folder}/{name}") == one for name, one in arrived.files.items())


def test_data_that_is_gone_is_not_waited_for(countries):
    subscribe(countries, COPIES)
    told(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    del countries.storage.blobs[countries.events()[-1]["data"]["snapshot"]["location"]]
    countries.deliver()

    [arrived] = told(countries)
    assert arrived.files == {}


@pytest.mark.parametrize(
    ("channel", "target", "canonical"),
    [
        ("service-bus", "Fleet/events", "fleet.servicebus.windows.net/events"),
        ("service-bus", "fleet.servicebus.windows.net/a/b", "fleet.servicebus.windows.net/a/b"),
        ("inbox", "https://Fleet.blob.core.windows.net:443/in-box", None),
        ("event-grid", TARGETS[Channel.EVENT_GRID], TARGETS[Channel.EVENT_GRID]),
    ],
)
def test_a_target_is_written_in_one_way(channel, target, canonical):
    found = parse_destination(Channel(channel), target).target

    assert found == (canonical or "https://fleet.blob.core.windows.net/in-box")


@pytest.mark.parametrize(
    ("channel", "target", "problem", "says"),
    [
        ("inbox", "http://x.blob.core.windows.net/inbox", "invalid-destination", "https://"),
        ("inbox", "ftp://x.blob.core.windows.net/inbox", "invalid-destination", "https://"),
        ("inbox", "https://10.0.0.1/inbox", "invalid-destination", "not the name of a host"),
        ("inbox", "https://127.0.0.1:99/a/inbox", "invalid-destination", "not the name of a host"),
        ("inbox", "http://127.0.0.1:99/a/inbox", "invalid-destination", "not the name of a host"),
        ("inbox", "https://u@x.blob.core.windows.net/i", "invalid-destination", "name of a host"),
        ("inbox", "https://x.blob.core.windows.net:8/i", "invalid-destination", "name of a host"),
        ("inbox", "https://x.blob.core.windows.net/inbox?sig=1", "invalid-destination", "query"),
        ("inbox", "https://x.blob.core.windows.net/", "invalid-destination", "it is not https"),
        ("inbox", "https://x.blob.core.windows.net/in/../a", "invalid-destination", "it is not"),
        ("inbox", "https://x.blob.core.windows.net/in/%2e/a", "invalid-destination", "it is not"),
        ("inbox", "https://x.blob.core.windows.net/$web", "invalid-destination", "it is not"),
        ("inbox", "https://blob.core.windows.net/inbox", "destination-not-allowed", "not a host"),
        ("inbox", "https://evil.example/inbox", "destination-not-allowed", "is not a host that"),
        ("inbox", "https://x.blob.core.windows.net.evil.example/i", "destination-not-allowed", "i"),
        ("inbox", "https://x.blob.core.windows.net/azure-webjobs-hosts", "destination-not-allowed",
         "a container named azure-webjobs-hosts"),
        ("inbox", "https://x.blob.core.windows.net/" + "a/" * 600, "invalid-destination", "1024"),
        ("service-bus", "fleet", "invalid-destination", "'' is not the name of a queue"),
        ("service-bus", "fleet/", "invalid-destination", "NAMESPACE/QUEUE"),
        ("service-bus", "fleet/q/$deadletterqueue", "invalid-destination", "NAMESPACE/QUEUE"),
        ("service-bus", "10.0.0.1/q", "invalid-destination", "not the name of a host"),
        ("service-bus", "fleet.example/q", "destination-not-allowed", "fleet.example is not a"),
        ("event-grid", "https://f.w-1.eventgrid.azure.net/", "invalid-destination", "/api/events"),
        ("event-grid", "https://f.w-1.eventgrid.azure.net/topics/t:publish",
         "invalid-destination", "/api/events"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_destination(channel, target, problem, says):
    with pytest.raises(Rejected) as refused:
        parse_destination(Channel(channel), target)

    assert refused.value.problem == problem
    assert says in str(refused.value)


@pytest.mark.parametrize("container", sorted(RESERVED_CONTAINERS))
def test_the_mesh_does_not_write_into_its_own_containers(container):
    with pytest.raises(Rejected, match=f"a container named {container}"):
        parse_destination(Channel.INBOX, f"https://x.blob.core.windows.net/{container}/v1")


@pytest.mark.parametrize("entity", sorted(RESERVED_ENTITIES))
def test_the_mesh_does_not_send_to_its_own_queues(entity):
    with pytest.raises(Rejected, match=f"a queue named {entity}"):
        parse_destination(Channel.SERVICE_BUS, f"mesh/{entity}")


def test_all_that_is_the_meshs_own_is_reserved():
    namespace = json.loads((INFRA / "service-bus.json").read_text())["UserConfig"]["Namespaces"][0]
    containers = json.loads((INFRA / "storage.json").read_text())["containers"]

    entities = {one["Name"] for kind in ("Queues", "Topics") for one in namespace[kind]}
    assert entities == RESERVED_ENTITIES
    assert set(containers) <= RESERVED_CONTAINERS


def test_the_mesh_does_not_publish_to_its_own_topic():
    own = TARGETS[Channel.EVENT_GRID]

    with pytest.raises(Rejected, match="the mesh's own topic"):
        parse_destination(Channel.EVENT_GRID, own.replace("fleet", "Fleet"), own_topic=own)


@pytest.mark.parametrize(
    ("channel", "target"),
    [
        ("service-bus", "127.0.0.1:5672/events"),
        ("inbox", "http://127.0.0.1:10000/devstoreaccount1/inbox/mesh"),
        ("event-grid", "http://localhost:10010/fleet/api/events"),
    ],
)
def test_on_this_machine_when_that_is_allowed(channel, target):
    found = parse_destination(Channel(channel), target, allow_loopback=True)

    assert (found.is_local, found.target) == (True, target)


def test_a_local_topic_has_a_name():
    with pytest.raises(Rejected, match="http://HOST:PORT/TOPIC/api/events"):
        parse_destination(
            Channel.EVENT_GRID, "http://localhost:1/$/api/events", allow_loopback=True
        )


def test_what_its_channel_does_not_have_is_refused():
    with pytest.raises(Rejected, match="Only an inbox can hold copies of the data; this is pull"):
        Route(copies=True)
    with pytest.raises(Rejected, match="Only what is told to webhooks is signed; this is pull"):
        Route(signature="v1a")


def test_names_in_an_inbox_sort_as_events_do():
    events = [
        {"id": "x", "sequence": f"{at:020d}", "data": {"domain": "geo", "product": "regions"}}
        for at in (2, 10, 1)
    ]

    names = sorted(event_name(event) for event in events)

    assert [int(name.split("/")[2].split("-")[0]) for name in names] == [1, 2, 10]


def test_over_http(api, countries):
    path = "/products/geography/countries/subscriptions"
    body = {"subscriber": "fleet", "inbox": TARGETS[Channel.INBOX], "copies": True}

    asked = api("POST", path, body)
    made = api("POST", path, {**body, "token": countries.token()})

    assert (asked.status, asked.json["type"]) == (403, "urn:mesh:problems:destination-unproven")
    assert (made.status, made.json["channel"], made.json["copies"]) == (201, "inbox", True)
    assert made.json["secret"] is None
    both = api("POST", path, {**body, "webhook": "https://fleet.example/hook"})
    assert (both.status, both.json["type"]) == (422, "urn:mesh:problems:several-channels")
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    drop = api("GET", "/drops", query={"file": "all.csv"}).json["drops"][0]["drop"]
    journey = api("GET", f"/products/geography/countries/drops/{drop}").json
    [subscriber] = journey["events"][0]["subscribers"]
    assert (subscriber["channel"], subscriber["attempts"][0]["outcome"]) == ("inbox", "delivered")
    assert json.dumps(journey).count("delivered") == 1


def asked(world, route, **wish):
    """Whether it was refused, and for what."""
    wish = {"subscriber": "fleet", "wanted": UPDATES, **wish}
    try:
        subscriptions.subscribe(world.backbone, COUNTRIES, route=route, **wish)
    except Rejected as refused:
        return refused.problem
    return "subscribed"


def tokens(world):
    """What was delivered to prove who owns a destination, by domain."""
    return {
        one.event["data"]["subscriber"]: one.event["data"]["token"]
        for one in world.destinations.arrived
        if "token" in one.event["data"]
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.channel)
def test_nothing_but_a_token_reaches_a_destination_that_is_not_proven(countries, route):
    with pytest.raises(Rejected) as refused:
        subscriptions.subscribe(
            countries.backbone, COUNTRIES, subscriber="fleet", route=route, wanted=UPDATES
        )
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()

    assert (refused.value.problem, refused.value.status) == ("destination-unproven", 403)
    assert str(refused.value) == (
        f"{route.target} has yet to be proven to belong to fleet. A test event has been delivered "
        "there. Read `data.token` in it, and subscribe again with it (`token`; `mesh subscribe … "
        "--token TOKEN`) within 24 hours. Another one can be asked for after 10 minutes."
    )
    [only] = countries.destinations.arrived
    assert only.event["type"] == SUBSCRIPTION_TESTED
    schema = load(f"events/{SUBSCRIPTION_TESTED}")
    Draft202012Validator(schema).validate(only.event)
    assert subscriptions.of_product(countries.backbone, COUNTRIES) == []


def test_a_thief_gets_nothing_into_the_destination_of_another_but_few_tokens(countries):
    [_, route, _] = ROUTES
    countries.subscribe(route=route, wanted=UPDATES)
    told(countries)

    tries = [
        asked(countries, replace(route, ordered=ordered), subscriber="thief", wanted=wanted)
        for ordered in (False, True)
        for wanted in (UPDATES, Filter())
    ]
    [arrived] = countries.destinations.arrived
    sent = arrived.event["data"]["token"]
    tries += [
        asked(countries, route, subscriber="thief", token=token)
        for token in (f"{sent}A", sent[:-1], sent.swapcase(), "ü", " ")
    ]

    assert set(tries) == {"destination-unproven", "wrong-token"}
    assert len(countries.destinations.arrived) == 1
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    assert len(told(countries)) == 1  # of the subscription of its owner


def test_a_token_proves_for_the_domain_that_it_was_made_for_alone(countries):
    [_, route, _] = ROUTES
    for domain in ("fleet", "shipping"):
        assert asked(countries, route, subscriber=domain) == "destination-unproven"
    sent = tokens(countries)

    assert asked(countries, route, subscriber="fleet", token=sent["shipping"]) == "wrong-token"
    assert asked(countries, route, subscriber="shipping", token=sent["fleet"]) == "wrong-token"
    assert asked(countries, ROUTES[0], token=sent["fleet"]) == "wrong-token"
    assert asked(countries, route, subscriber="fleet", token=sent["fleet"]) == "subscribed"
    assert asked(countries, route, subscriber="shipping") == "destination-unproven"
    countries.destinations.arrived.clear()
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    assert len(told(countries)) == 1
    # Who can read there, too, may be told there, too.
    assert asked(countries, route, subscriber="shipping", token=sent["shipping"]) == "subscribed"


def test_what_is_proven_is_proven_for_all_that_its_domain_is_told_there(countries):
    [_, _, route] = ROUTES
    countries.subscribe(route=route, wanted=UPDATES)
    countries.destinations.arrived.clear()

    assert asked(countries, route, wanted=Filter()) == "subscribed"
    assert asked(countries, replace(route, copies=True), token="any") == "subscribed"
    folder = replace(route, target=f"{route.target}/other")
    assert asked(countries, folder) == "destination-unproven"
    assert [one.target for one in countries.destinations.arrived] == [
        *(route.target, route.target),
        folder.target,
    ]


def test_a_token_has_its_day(countries):
    [route, _, _] = ROUTES
    assert asked(countries, route) == "destination-unproven"
    first = countries.token()
    countries.clock.advance(PAUSE - timedelta(seconds=1))
    assert asked(countries, route) == "destination-unproven"
    assert len(countries.destinations.arrived) == 1
    countries.clock.advance(timedelta(seconds=1))
    assert asked(countries, route) == "destination-unproven"
    second = countries.token()
    ids = {one.id for one in countries.destinations.arrived}
    assert (len(ids), first != second) == (2, True)

    assert asked(countries, route, token=first) == "wrong-token"
    countries.clock.advance(TOKEN_LASTS)
    assert asked(countries, route, token=second) == "wrong-token"
    assert asked(countries, route) == "destination-unproven"
    assert asked(countries, route, token=countries.token()) == "subscribed"


def test_a_thief_cannot_fill_what_is_another_s_by_writing_its_name_in_other_ways(countries):
    [topic, queue, inbox] = ROUTES
    tried = [
        *(replace(queue, target=f"fleet/{name}") for name in ("events", "Events", "EVENTS")),
        *(
            replace(topic, target=topic.target.replace("fleet", name))
            for name in ("fleet", "FLEET")
        ),
        *(replace(inbox, target=f"{inbox.target}/{name}") for name in ("a", "b", "a/b/c")),
    ]

    assert {asked(countries, route, subscriber="thief") for route in tried} == {
        "destination-unproven"
    }
    assert [one.channel for one in countries.destinations.arrived] == [
        Channel.SERVICE_BUS,
        Channel.EVENT_GRID,
        Channel.INBOX,
    ]


def test_each_folder_of_a_container_is_proven_by_itself(countries):
    [_, _, route] = ROUTES
    other = replace(route, target=f"{route.target}/other")
    assert asked(countries, route) == "destination-unproven"
    sent = countries.token()

    assert asked(countries, other, token=sent) == "wrong-token"
    assert asked(countries, route, token=sent) == "subscribed"
    assert asked(countries, other, token=sent) == "wrong-token"
    assert asked(countries, other) == "destination-unproven"
    assert asked(countries, other, token=countries.token()) == "subscribed"
    assert asked(countries, route) == "subscribed"


@pytest.mark.parametrize(
    ("channel", "target", "resource"),
    [
        ("service-bus", "fleet.servicebus.windows.net/A/b", "fleet.servicebus.windows.net/a/b"),
        ("inbox", "https://f.blob.core.windows.net/in", "https://f.blob.core.windows.net/in"),
        ("inbox", "https://f.blob.core.windows.net/in/a/", "https://f.blob.core.windows.net/in"),
        ("inbox", "http://127.0.0.1:9/account/in/a/b", "http://127.0.0.1:9/account/in"),
        ("event-grid", "http://localhost:9/T/api/events", "http://localhost:9/t/api/events"),
    ],
)
def test_what_a_target_is_of(channel, target, resource):
    assert resource_of(Channel(channel), target) == resource


def test_a_token_that_could_not_be_delivered_is_sent_again_at_once(countries):
    [route, _, _] = ROUTES
    countries.destinations.answers.append(FAILED)

    assert asked(countries, route) == "destination-unverified"
    assert asked(countries, route) == "destination-unproven"
    assert asked(countries, route, token=countries.token()) == "subscribed"


def test_of_two_who_ask_at_once_one_is_sent_a_token(countries):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: asked(countries, ROUTES[0]), range(8)))

    assert found == ["destination-unproven"] * 8
    assert len(countries.destinations.arrived) == 1


def test_a_token_outlives_the_key_it_was_made_with(countries):
    [route, _, _] = ROUTES
    assert asked(countries, route) == "destination-unproven"
    new = SigningSecrets(master_keys=(b"n" * 32, *countries.backbone.signing.master_keys))
    countries.backbone = replace(countries.backbone, signing=new)

    assert asked(countries, route, token=countries.token()) == "subscribed"
