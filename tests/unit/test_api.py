"""The HTTP API on a mesh in memory; every answer is held against `schemas/openapi.json`."""

from __future__ import annotations

import copy
import json

import pytest

from mesh.errors import Unavailable
from mesh.model.names import ProductId
from mesh.schemas import MAX_REQUEST_BYTES

PRODUCT = "/products/geography/countries"
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
BAD = b"code,name,area\nCH,Switzerland,41285\nxx,Nowhere,-1\n"
HOOK = "https://fleet.example/hook"


def refused(answer, status, problem):
    """The detail of a problem."""
    assert (answer.status, answer.json["type"]) == (status, f"urn:mesh:problems:{problem}")
    assert answer.json["status"] == status
    return answer.json["detail"]


@pytest.fixture
def waiting(world, declare, contract_of):
    """The id of an onboarding that waits for an approval."""
    files = declare(ProductId(domain="geography", product="countries"),
                    contract_of(classification="restricted"))  # fmt: skip
    return world.onboard(files).id


def test_health_and_description_need_no_token(api):
    assert api("GET", "/health", by=None).json == {"status": "ok"}
    assert api("GET", "/openapi.json", by=None).json["openapi"] == "3.1.0"


def test_a_declaration_is_taken_in_and_becomes_a_product(api, world, declare):
    asked = api("POST", "/onboardings", {"files": declare(), "requested_by": "pipeline 7"})

    assert asked.status == 202
    assert asked.headers["Location"] == f"/api/onboardings/{asked.json['id']}"
    assert (asked.json["status"], asked.json["requested_by"]) == ("running", "pipeline 7")
    assert [step["step"] for step in asked.json["steps"]] == ["received"]

    world.onboard(declare())
    done = api("GET", f"/onboardings/{asked.json['id']}").json
    assert (done["status"], done["product"]) == ("registered", "geography/countries")


def test_a_refused_declaration_tells_all_findings(api, world, declare):
    files = declare()
    product = json.loads(files["product.odps.json"])
    del product["team"], product["support"]
    files["product.odps.json"] = json.dumps(product)
    saga = world.onboard(files)

    told = api("GET", f"/onboardings/{saga.id}").json

    assert told["status"] == "refused"
    assert {finding["rule"] for finding in told["findings"]} == {
        "declaration.owner",
        "declaration.support",
    }


@pytest.mark.parametrize(
    ("body", "problem", "status", "says"),
    [
        (b"", "invalid-json", 400, "The body is no JSON: Expecting value"),
        (b"{", "invalid-json", 400, "The body is no JSON: Expecting property name"),
        (b"\xff", "invalid-json", 400, "The body is no JSON: 'utf-8' codec can't decode"),
        (b"[" * 100_000, "invalid-json", 400, "The body is no JSON: maximum recursion depth"),
        (b'{"files": NaN}', "invalid-json", 400, "NaN is not a number of JSON"),
        (b'{"files": 1e999}', "invalid-json", 400, "1e999 is not a number of JSON"),
        (b"1" * 5000, "invalid-json", 400, "The body is no JSON: Exceeds the limit"),
        (rb'{"files": {"a": "\ud800"}}', "invalid-json", 400, "surrogates not allowed"),
        (b"[]", "invalid-body", 422, "First: [] is not of type 'object'"),
        (b"{}", "invalid-body", 422, "First: 'files' is a required property"),
        (b'{"files": {}}', "invalid-body", 422, "First: {} should be non-empty"),
        (b'{"files": {"a": 1}}', "invalid-body", 422, "First: 1 is not of type 'string'"),
        (b'{"files": {"a": ""}, "x": 1}', "invalid-body", 422, "'x' was unexpected"),
    ],
)
def test_a_body_that_is_none_is_refused(api, body, problem, status, says):
    assert says in refused(api("POST", "/onboardings", data=body), status, problem)


def test_findings_of_a_body_point_into_it(api):
    body = {"files": {"a/b~c": 1, "d": 2}, "requested_by": ""}

    findings = api("POST", "/onboardings", body).json["findings"]

    paths = {finding["path"]: finding["rule"] for finding in findings}
    assert paths == {
        "/files/a~1b~0c": "body.type",
        "/files/d": "body.type",
        "/requested_by": "body.minLength",
    }


def test_a_body_that_is_too_large_is_refused(api):
    answer = api("POST", "/onboardings", data=b" " * (MAX_REQUEST_BYTES + 1))

    assert f"at most {MAX_REQUEST_BYTES} are taken" in refused(answer, 413, "body-too-large")


def test_an_unknown_onboarding(api):
    assert "'none'" in refused(api("GET", "/onboardings/none"), 404, "unknown-onboarding")
    decision = {"decision": "approve", "approver": "Ada", "reason": "Fine."}
    answer = api("POST", "/onboardings/none/approval", decision)
    refused(answer, 404, "unknown-onboarding")


def test_an_onboarding_that_waits_is_approved(api, waiting):
    assert api("GET", f"/onboardings/{waiting}").json["status"] == "waiting"
    decision = {"decision": "approve", "approver": "Ada", "reason": "Fine."}

    approved = api("POST", f"/onboardings/{waiting}/approval", decision).json

    assert approved["status"] == "running"
    assert approved["steps"][-1]["detail"] == "approved by developer for Ada: Fine."
    assert api("POST", f"/onboardings/{waiting}/approval", decision).json == approved
    again = api("POST", f"/onboardings/{waiting}/approval", {**decision, "reason": "Better."})
    assert "does not wait" in refused(again, 409, "not-waiting")


def test_whoever_decides_in_anothers_name_is_named_too(api, waiting):
    decision = {"decision": "approve", "approver": "Ada", "reason": "Fine."}

    approved = api("POST", f"/onboardings/{waiting}/approval", decision, by="geography").json

    assert approved["steps"][-1]["detail"] == "approved by geography for Ada: Fine."


def test_an_onboarding_that_waits_is_refused(api, waiting):
    decision = {"decision": "refuse", "approver": "Ada", "reason": "Too soon."}

    done = api("POST", f"/onboardings/{waiting}/approval", decision).json

    assert done["status"] == "refused"
    assert done["findings"][0]["message"] == "developer for Ada refused the declaration: Too soon."


def test_a_decision_that_is_none(api, waiting):
    answer = api("POST", f"/onboardings/{waiting}/approval", {"decision": "maybe"})

    refused(answer, 422, "invalid-body")
    assert {found["rule"] for found in answer.json["findings"]} == {"body.enum", "body.required"}


@pytest.mark.usefixtures("countries")
def test_products_are_found_by_words(api):
    def found(**query):
        return [entry["product"] for entry in api("GET", "/products", query=query).json["products"]]

    assert found() == found(search="COUNTRIES try") == ["geography/countries"]
    assert found(search="runways") == []
    assert found(limit=1) == ["geography/countries"]


def test_a_product_with_its_contracts_and_last_good_versions(api, countries):
    entry = countries.land(f"{PLACE}/all.csv", GOOD)

    page = api("GET", PRODUCT).json

    assert page["output_ports"][0]["landing"] == [f"landing/{PLACE}/"]
    assert page["contracts"][0]["objects"] == ["countries"]
    assert (page["snapshots"][0]["drop"], page["snapshots"][0]["rows"]) == (entry.drop, 2)


@pytest.mark.usefixtures("countries")
def test_a_published_contract_and_the_schema_of_its_records(api, contract_of):
    assert api("GET", f"{PRODUCT}/contracts/countries/1.0.0").json == contract_of()
    schema = api("GET", f"{PRODUCT}/contracts/countries/1.0.0/schemas/countries").json
    assert schema["required"] == ["code", "name"]


@pytest.mark.parametrize(
    ("path", "status", "problem", "says"),
    [
        ("/products/geography/none", 404, "unknown-product", "There is no product geography/none"),
        ("/products/Geo/none", 400, "invalid-name", "'Geo' cannot name a domain."),
        ("/products/geography/no_ne", 400, "invalid-name", "'no_ne' cannot name a product."),
        (f"{PRODUCT}/contracts/x/1.0.0", 404, "unknown-contract", "no contract x:1.0.0"),
        (
            f"{PRODUCT}/contracts/countries/1.0.0/schemas/x",
            404,
            "unknown-object",
            "has no object 'x'; it has countries.",
        ),
        (f"{PRODUCT}/drops/none", 404, "unknown-drop", "has no decision on 'none' yet"),
        (f"{PRODUCT}/drops/none/receipt", 404, "unknown-drop", "has no receipt for 'none' yet"),
        ("/products/geography/none/events", 404, "unknown-product", "no product geography/none"),
        (
            "/products/geography/none/subscriptions",
            404,
            "unknown-product",
            "no product geography/none",
        ),
        (
            f"{PRODUCT}/subscriptions/none",
            404,
            "unknown-subscription",
            "There is no subscription 'none' to geography/countries.",
        ),
    ],
)
@pytest.mark.usefixtures("countries")
def test_what_is_not_there(api, path, status, problem, says):
    assert says in refused(api("GET", path), status, problem)


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("/products", {"limit": 0}, "limit is '0'; it may be a number from 1 to 1000."),
        ("/products", {"limit": 1001}, "limit is '1001'"),
        ("/products", {"limit": "ten"}, "limit is 'ten'"),
        ("/products", {"limit": "0" * 20 + "9999"}, "limit is '000000000000000000009999'"),
        ("/products", {"limit": "1" * 5000}, "limit is '1111111111"),
        ("/drops", {"limit": "٣"}, "limit is '٣'"),
        (f"{PRODUCT}/events", {"after": -1}, "after is '-1'; it may be a number from 0 to"),
        (f"{PRODUCT}/events", {"after": 10**18 + 1}, "after is '1000000000000000001'"),
    ],
)
@pytest.mark.usefixtures("countries")
def test_a_query_that_is_none(api, path, query, says):
    assert says in refused(api("GET", path, query=query), 400, "invalid-query")


def test_dropped_files_and_their_journeys(api, countries):
    api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "fleet", "webhook": HOOK})
    api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "planning"})
    good = countries.land(f"{PLACE}/rundate=2026-11/all.csv", GOOD)
    bad = countries.land(f"{PLACE}/bad.csv", BAD)
    lost = countries.land("nowhere/lost.csv", GOOD)
    countries.deliver()

    found = {drop["drop"] for drop in api("GET", "/drops").json["drops"]}
    assert found == {good.drop, bad.drop, lost.drop}
    named = api("GET", f"{PRODUCT}/drops", query={"file": "all.csv"}).json["drops"]
    assert [drop["drop"] for drop in named] == [good.drop]
    journey = api("GET", f"{PRODUCT}/drops/{good.drop}").json
    assert journey["verdict"] == "accepted"
    [event] = journey["events"]
    told = {entry["subscriber"]: entry for entry in event["subscribers"]}
    assert told["planning"]["attempts"] == []
    assert told["fleet"]["attempts"][0]["outcome"] == "delivered"
    assert api("GET", f"/products/unplaced/files/drops/{lost.drop}").json["place"] == ""
    receipt = api("GET", f"{PRODUCT}/drops/{bad.drop}/receipt").json
    assert receipt["counts"]["rejected"] == 1


def test_a_journey_tells_of_those_who_have_unsubscribed_since(api, countries):
    made = api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "fleet", "webhook": HOOK}).json
    drop = countries.land(f"{PLACE}/all.csv", GOOD).drop
    countries.deliver()
    [before] = api("GET", f"{PRODUCT}/drops/{drop}").json["events"][0]["subscribers"]

    api("DELETE", f"{PRODUCT}/subscriptions/{made['id']}")

    [after] = api("GET", f"{PRODUCT}/drops/{drop}").json["events"][0]["subscribers"]
    ended = {"target": "", "state": "ended", "reason": "The subscription was ended since."}
    assert after == before | ended
    assert [one["outcome"] for one in after["attempts"]] == ["delivered"]


def test_events_are_read_page_by_page(api, countries):
    countries.land(f"{PLACE}/all.csv", GOOD)
    everything = api("GET", f"{PRODUCT}/events").json["events"]

    pages = [
        api("GET", f"{PRODUCT}/events", query={"after": after, "limit": 1}).json["events"]
        for after in range(4)
    ]

    assert [event for page in pages for event in page] == everything
    assert len(everything) == 3
    assert pages[3] == []


@pytest.mark.usefixtures("countries")
def test_a_subscription_from_its_beginning_to_its_end(api):
    wish = {
        "subscriber": "fleet",
        "webhook": HOOK,
        "filter": {"types": ["mesh.product.updated.v1"], "objects": ["countries"]},
    }
    made = api("POST", f"{PRODUCT}/subscriptions", wish)
    path = f"{PRODUCT}/subscriptions/{made.json['id']}"

    assert made.status == 201
    assert made.headers["Location"] == f"/api{path}"
    known = {key: value for key, value in made.json.items() if key != "secret"}
    assert api("GET", path).json == known
    assert api("GET", f"{PRODUCT}/subscriptions").json == {"subscriptions": [known]}
    again = api("POST", f"{PRODUCT}/subscriptions", copy.deepcopy(wish)).json
    assert (again["id"], again["secret"]) == (made.json["id"], None)
    rotated = api("POST", f"{path}/secret").json
    assert rotated["secret"] not in {None, made.json["secret"]}
    assert [api("DELETE", path).status for _ in range(2)] == [204, 204]
    refused(api("GET", path), 404, "unknown-subscription")


def test_an_integer_may_be_written_with_a_point_or_an_exponent(api, countries):
    """As JSON Schema has it."""
    pulled = api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "fleet"}).json["id"]
    told = api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "fleet", "webhook": HOOK}).json
    countries.land("geography/countries/v1/countries/a.csv", b"code,name\nCH,Switzerland\n")
    [update] = countries.updates()
    path = f"{PRODUCT}/subscriptions"

    statuses = [
        api("POST", f"{path}/{pulled}/acknowledgements", {"sequence": float(update)}).status,
        api("POST", f"{path}/{told['id']}/replays", data=b'{"last": 10e-1}').status,
        api("POST", f"{path}/{told['id']}/replays", data=b'{"sequence": 1.0}').status,
    ]

    assert statuses == [200, 202, 202]
    refused(api("POST", f"{path}/{told['id']}/replays", {"sequence": 1.5}), 422, "invalid-body")


@pytest.mark.usefixtures("countries")
def test_a_contract_has_a_verdict_for_each_consumer_before_it_is_published(api, contract_of):
    api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "fleet", "uses": ["countries.code"]})
    api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "planning"})
    document = contract_of(version="1.1.0")
    del document["schema"][0]["properties"][2]
    asked = {"file": "countries.odcs.json", "text": json.dumps(document)}

    found = api("POST", f"{PRODUCT}/contracts/preview", asked).json

    assert (found["product"], found["verdict"]) == ("geography/countries", "breaking")
    assert {told["consumer"]: told["verdict"] for told in found["consumers"]} == {
        "fleet": "unaffected",
        "planning": "affected",
    }
    assert found["consumers"][1]["affected_by"] == found["changes"]
    assert [port["version"] for port in api("GET", PRODUCT).json["contracts"]] == ["1.0.0"]


@pytest.mark.usefixtures("countries")
def test_a_pull_subscription_has_no_secret(api):
    made = api("POST", f"{PRODUCT}/subscriptions", {"subscriber": "fleet"}).json

    assert (made["channel"], made["secret"]) == ("pull", None)
    answer = api("POST", f"{PRODUCT}/subscriptions/{made['id']}/secret")
    assert "only webhooks have a secret" in refused(answer, 409, "no-secret")


@pytest.mark.parametrize(
    ("wish", "status", "problem", "says"),
    [
        ({"subscriber": "Fleet"}, 400, "invalid-name", "'Fleet' cannot name a domain."),
        (
            {"subscriber": "fleet", "filter": {"types": ["mesh.nothing.v1"]}},
            400,
            "unknown-event-type",
            "Unknown event type 'mesh.nothing.v1'. The types are: mesh.product.onboarded.v1",
        ),
        (
            {"subscriber": "fleet", "filter": {"objects": ["rivers"]}},
            400,
            "unknown-object",
            "geography/countries has no object 'rivers'; it has countries.",
        ),
        (
            {"subscriber": "fleet", "uses": ["countries.flag"]},
            400,
            "unknown-field",
            "countries of geography/countries has no field 'flag'; it has area, code, name.",
        ),
        (
            {"subscriber": "fleet", "filter": {"objects": ["a b"]}},
            400,
            "invalid-name",
            "'a b' cannot name an object.",
        ),
        (
            {"subscriber": "fleet", "filters": [{"like": {"type": "x"}}]},
            400,
            "invalid-filter",
            "filters[0].like: there is no such dialect; the dialects are exact, prefix, suffix,",
        ),
        (
            {"subscriber": "fleet", "filters": [{"exact": {"data.rejected": "0"}}]},
            422,
            "filter-too-rich",
            "which does not know data.rejected of an event, but type, subject,",
        ),
        (
            {"subscriber": "fleet", "webhook": "https://unwilling.example/"},
            422,
            "webhook-unverified",
            "does not want our notifications",
        ),
        ({"subscriber": ""}, 422, "invalid-body", "should be non-empty"),
    ],
)
def test_a_wish_that_cannot_be_granted(api, countries, wish, status, problem, says):
    countries.webhooks.unwilling.add("https://unwilling.example/")

    assert says in refused(api("POST", f"{PRODUCT}/subscriptions", wish), status, problem)


def test_a_composites_subscription_ends_with_its_declaration(api, countries, declare, contract_of):
    coverage = ProductId(domain="aviation", product="coverage")
    inputs = (("countries", "urn:mesh:geography:countries:countries"),)
    ports = (("coverage", "1.0.0"),)
    document = contract_of(coverage, object_name="coverage")
    countries.onboard(declare(coverage, document, ports=ports, inputs=inputs))
    [wants] = api("GET", f"{PRODUCT}/subscriptions").json["subscriptions"]

    answer = api("DELETE", f"{PRODUCT}/subscriptions/{wants['id']}")

    assert wants["channel"] == "composite"
    says = refused(answer, 409, "declared-subscription")
    assert says.startswith("aviation/coverage reads geography/countries by its declaration")
    ready = countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    journey = api("GET", f"{PRODUCT}/drops/{ready.drop}").json
    assert journey["events"][0]["subscribers"][0]["channel"] == "composite"
    events = api("GET", "/products/aviation/coverage/events").json["events"]
    assert events[-1]["type"] == "mesh.composite.inputs-ready.v1"


def test_what_the_mesh_depends_on_fails(api, world, declare):
    world.queues.failure = Unavailable("The queue is busy: endpoint sb://secret-name.")

    answer = api("POST", "/onboardings", {"files": declare()})

    says = refused(answer, 503, "unavailable")
    assert "Try again in a moment" in says
    assert "secret" not in says
    assert answer.headers["Retry-After"] == "5"


def test_sets_of_files_are_listed(world, api, declare, contract_of):
    value = {"members": ["north.csv", "south.csv"]}
    sets = {"customProperties": [{"property": "fileSet", "value": value}]}
    world.onboard(declare(ProductId.parse("geography/countries"), contract_of(more=sets)))
    place = "geography/countries/v1/countries"
    entry = world.land(f"{place}/rundate=2026-11-22/north.csv", b"code,name\nSE,Sweden\n")
    for name in value["members"]:
        world.land(f"{place}/rundate=2026-11-21/{name}", b"code,name\nSE,Sweden\n")

    both = api("GET", "/products/geography/countries/sets").json["sets"]
    assert [(one["period"], one["complete"]) for one in both] == [
        ("2026-11-21", True),
        ("2026-11-22", False),
    ]
    [waiting] = api("GET", f"{PRODUCT}/sets", query={"open": "true"}).json["sets"]
    assert (waiting["missing"], waiting["due_at"], waiting["sequence"]) == (["south.csv"], None, 0)
    journey = api("GET", f"/products/geography/countries/drops/{entry.drop}").json
    assert journey["sets"] == [waiting]


@pytest.mark.usefixtures("countries")
def test_a_flag_is_true_or_false(api):
    answer = api("GET", f"{PRODUCT}/sets", query={"open": "yes"})

    assert refused(answer, 400, "invalid-query") == "open is 'yes'; it may be true or false."
