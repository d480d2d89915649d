"""What is put on record, who reads data, and how often one may call."""

from __future__ import annotations

import json
import time
import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest

from mesh import access, agreements, audit
from mesh.announced_data import all_locations
from mesh.backbone import replace_backbone
from mesh.entitlement import Call
from mesh.errors import NotFound, Unavailable
from mesh.model.dead_letter import DeadLetter
from mesh.model.entitlement import DECISIONS, RULES
from mesh.model.names import ProductId
from mesh.model.policy import Policy
from mesh.model.principal import Principal
from mesh.model.rate import Buckets, Rate
from mesh.schemas import openapi
from tests.unit.test_entitlement import PRODUCT, ROOT, SUBSCRIBE, refused

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name\nCH,Switzerland\n"


def log(api, name="geography"):
    found = api("GET", f"/audit/{name}", by="ops=ops").json
    assert found["whole"]
    return found["entries"]


def test_decisions_are_on_record_and_reading_is_not(api, countries):
    made = api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet").json
    path = f"{PRODUCT}/subscriptions/{made['id']}"
    api("GET", path, by="fleet")
    api("POST", path + "/suspension", {"reason": "We move."}, by="fleet")

    newest, before = log(api)[:2]

    assert (newest["operation"], newest["name"]) == ("suspend", "fleet")
    assert newest["by"] == "id-of-fleet"
    assert (newest["outcome"], newest["reason"]) == ("done", "We move.")
    assert newest["about"]["subscription"] == made["id"]
    assert (before["operation"], before["number"]) == ("subscribe", newest["number"] - 1)
    assert countries.clock().isoformat().replace("+00:00", "Z") == newest["at"]
    assert "whsec_" not in json.dumps(log(api))


def test_refusals_by_a_rule_or_for_want_of_an_agreement_are_on_record(api, countries):
    why = {"by": "Ada", "reason": "No."}
    agreements.revoke(countries.backbone, COUNTRIES, "fleet", **why)
    api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet")
    api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="rivers")
    api("GET", "/dead-letters", by="rivers")
    api("GET", PRODUCT + "/drops", by="stranger=")
    api("GET", PRODUCT + "/drops", by=None)  # nobody to tell of

    told = [(entry["name"], entry["outcome"]) for entry in log(api)]

    assert told[:2] == [("rivers", "not-entitled"), ("fleet", "no-agreement")]
    assert [(entry["name"], entry["operation"]) for entry in log(api, "mesh")] == [
        ("stranger", "list_drops"),
        ("rivers", "list_dead_letters"),
    ]


def test_an_onboarding_is_on_its_domains_record(api, declare, world):
    asked = api("POST", "/onboardings", {"files": declare()}, by="geography").json
    world.onboard(declare())
    refused(api("POST", "/onboardings", {"files": declare()}, by="fleet"), 403, "not-entitled")
    api("POST", "/onboardings", {"files": {"a": "b"}}, by="fleet")
    decision = {"decision": "approve", "reason": "Fine."}
    path = f"/onboardings/{asked['id']}/approval"
    refused(api("POST", path, decision, by="fleet"), 403, "not-entitled")

    assert [(entry["operation"], entry["outcome"]) for entry in log(api)] == [
        ("decide_onboarding", "not-entitled"),
        ("request_onboarding", "not-entitled"),
        ("request_onboarding", "done"),
    ]
    assert [entry["name"] for entry in log(api, "mesh")] == ["fleet"]


def test_owners_read_their_domains_log(api):
    assert api("GET", "/audit/geography", by="geography").json == {"entries": [], "whole": True}
    refused(api("GET", "/audit/geography", by="fleet"), 403, "not-entitled")
    refused(api("GET", "/audit/mesh", by="geography"), 403, "not-entitled")


def test_each_decision_has_a_rule():
    assert set(RULES) > set(DECISIONS)


@pytest.mark.parametrize("operation", DECISIONS)
def test_what_a_decision_says_of_itself_is_in_its_body(operation):
    said = DECISIONS[operation]
    if said:
        described = [
            one["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            for one in openapi()["paths"].values()
            if one.get("post", {}).get("operationId") == operation
        ]
        [name] = (reference.rpartition("/")[2] for reference in described)
        members = openapi()["components"]["schemas"][name]["properties"]
        assert set(said) <= set(members) - {"token", "files"}


def test_the_log_tells_what_was_decided_and_no_secret(api, countries):
    wish = {"subscriber": "fleet", "webhook": "https://fleet.example/hook?key=s3cret"}
    made = api("POST", PRODUCT + "/subscriptions", wish, by="fleet").json
    asked = {"consumer": "fleet", "purpose": "To fly."}
    api("POST", PRODUCT + "/agreements", asked, by="fleet")
    revoked = {"decision": "revoke", "reason": "No."}
    api("POST", PRODUCT + "/agreements/fleet/decision", revoked, by="geography=owner")
    letter = DeadLetter(
        source="onboarding",
        number=7,
        message_id="m",
        enqueued_at=None,
        reason="Expired",
        description="",
        deliveries=1,
        body=b"{}",
    )
    countries.dead_letters.letters.append(letter)
    discarded = {"source": "onboarding", "number": 7.0, "reason": "Junk."}
    api("POST", "/dead-letters/discards", discarded, by="ops=ops")

    told = {entry["operation"]: entry["about"] for entry in (*log(api), *log(api, "mesh"))}
    address = {"domain": "geography", "product": "countries"}
    assert made["secret"]
    assert told == {
        "subscribe": {
            **address,
            "subscriber": "fleet",
            "webhook": "https://fleet.example/hook?…",
        },
        "request_agreement": {**address, "consumer": "fleet"},
        "decide_agreement": {**address, "consumer": "fleet", "decision": "revoke"},
        "discard_dead_letter": {"source": "onboarding", "number": "7"},
    }


def test_the_log_names_the_product_that_was_to_be_onboarded(api, declare):
    api("POST", "/onboardings", {"files": declare()}, by="geography")

    assert log(api)[0]["about"] == {"product": "geography/countries"}


class Failing:
    """An audit log of which some methods do not answer, the first few times."""

    def __init__(self, inner, *names, times=1):
        self._inner = inner
        self._left = dict.fromkeys(names, times)

    def __getattr__(self, name):
        if not self._left.get(name):
            return getattr(self._inner, name)
        self._left[name] -= 1
        raise Unavailable(name)


def failing(world, *names, times=1):
    audit = Failing(world.backbone.audit, *names, times=times)
    return replace_backbone(replace(world.backbone, audit=audit))


def test_what_cannot_be_put_on_record_is_not_done(api, countries):
    with failing(countries, "begin", times=9):
        for by in ("fleet", "rivers"):
            answer = api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by=by)
            refused(answer, 503, "unavailable")

    assert countries.backbone.subscriptions.of_product(COUNTRIES) == []


def made(api):
    """The path of a new subscription of `fleet`."""
    identity = api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet").json["id"]
    return f"{PRODUCT}/subscriptions/{identity}"


def state(world):
    backbone = world.backbone
    waiting = [len(world.queues.waiting(queue)) for queue in ("notifications-slow", "onboarding")]
    return (
        list(backbone.subscriptions.of_product(COUNTRIES)),
        list(backbone.registry.agreements(COUNTRIES)),
        backbone.registry.head(COUNTRIES).sequence,
        waiting,
    )


def test_a_command_that_could_not_be_noted_ends_the_same_again_and_is_on_record_once(
    api, countries, contract_of, declare
):
    towns = ProductId(domain="geography", product="towns")
    waiting = countries.onboard(declare(towns, contract_of(towns, classification="restricted")))
    agreements.request(countries.backbone, COUNTRIES, "rivers", purpose="To try.", by="Bo")
    path = made(api)
    countries.land(f"{PLACE}/a.csv", GOOD)
    approve = {"decision": "approve", "reason": "Fine."}
    commands = {
        "decide_onboarding": (f"/onboardings/{waiting.id}/approval", approve, "geography"),
        "decide_agreement": (f"{PRODUCT}/agreements/rivers/decision", approve, "geography"),
        "rotate_secret": (f"{path}/secret", None, "fleet"),
        "replay": (f"{path}/replays", {"last": 3}, "fleet"),
        "suspend": (f"{path}/suspension", {"reason": "We move."}, "fleet"),
        "resume": (f"{path}/resumption", {"held": "replay"}, "fleet"),
        "unsubscribe": (path, None, "fleet"),
    }
    for operation, (at, body, by) in commands.items():
        method, before = "DELETE" if operation == "unsubscribe" else "POST", len(log(api))
        with failing(countries, "conclude"):
            refused(api(method, at, body, by=by), 503, "unavailable")
            first = state(countries)
            assert len(log(api)) == before, operation
            again = api(method, at, body, by=by)

        assert again.status in {200, 202, 204}, operation
        assert state(countries) == first, operation
        entries = log(api)
        assert len(entries) == before + 1, operation
        assert (entries[0]["operation"], entries[0]["outcome"]) == (operation, "done")


@pytest.mark.usefixtures("countries")
def test_a_new_command_is_no_repetition(api):
    path = made(api)

    told = [api("POST", f"{path}/secret", by="fleet").json["secret"] for _ in range(2)]

    assert told[0] != told[1]
    assert [entry["operation"] for entry in log(api)][:2] == ["rotate_secret"] * 2


def test_the_secret_of_a_rotation_that_was_not_answered_is_told_again(api, countries):
    path = made(api)
    with failing(countries, "conclude"):
        refused(api("POST", f"{path}/secret", by="fleet"), 503, "unavailable")
    again = api("POST", f"{path}/secret", by="fleet").json

    [known] = countries.backbone.subscriptions.of_product(COUNTRIES)
    assert known.generation == 2
    assert again["secret"] == countries.backbone.signing.reveal(known.id, 2)


def test_who_subscribes_again_after_a_failure_is_told_the_secret(api, countries):
    with failing(countries, "conclude"):
        refused(api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet"), 503, "unavailable")

    again = api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet").json
    assert again["secret"].startswith("whsec_")
    assert api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet").json["secret"] is None


def test_what_nobody_comes_back_for_is_on_record_by_itself(api, countries):
    with failing(countries, "conclude"):
        refused(api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet"), 503, "unavailable")
    assert (audit.settle_all(countries.backbone), log(api)) == (0, [])
    countries.clock.advance(audit.LEFT_BEHIND)

    assert [audit.settle_all(countries.backbone) for _ in range(2)] == [1, 0]
    [entry] = log(api)
    assert (entry["operation"], entry["outcome"]) == ("subscribe", "unseen")


def test_what_was_refused_leaves_nothing_and_of_a_repetition_that_nobody_knows(api, countries):
    path = f"{made(api)}/resumption"
    before = len(log(api))
    refused(api("POST", path, {"held": "skip"}, by="fleet"), 409, "not-suspended")
    assert countries.backbone.audit.intents("geography") == []
    with failing(countries, "withdraw"):
        refused(api("POST", path, {"held": "skip"}, by="fleet"), 503, "unavailable")
    refused(api("POST", path, {"held": "skip"}, by="fleet"), 409, "not-suspended")

    [entry] = log(api)[:-before]
    assert (entry["operation"], entry["outcome"]) == ("resume", "unseen")


def test_refusals_are_counted_by_caller_and_hour(api, countries):
    for place in range(5):
        api("GET", f"/products/made-up-{place}/x/drops", by="stranger=")
        api("GET", PRODUCT + "/subscriptions", by="stranger=")
        api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="rivers")
    assert [len(log(api, name)) for name in ("mesh", "geography", "made-up-1")] == [1, 1, 0]
    countries.clock.advance(timedelta(hours=1))
    api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="rivers")

    [counted, first] = log(api, "mesh")
    assert counted["reason"].startswith("9 more times in the hour from 2026-11-22T12:00:00Z.")
    assert (counted["name"], counted["outcome"]) == ("stranger", "not-entitled")
    assert first["operation"] == "list_drops"
    assert [entry["reason"].partition(" ")[0] for entry in log(api)] == ["4", "rivers", "rivers"]


def test_a_lone_refusal_is_one_entry(api, countries):
    api("GET", "/products", by="stranger=")
    countries.clock.advance(timedelta(hours=1))

    assert audit.settle_all(countries.backbone) == 0
    assert len(log(api, "mesh")) == 1
    assert countries.backbone.audit.intents("mesh") == []


def updated(world):
    return next(int(event["sequence"]) for event in world.events() if "updated" in event["type"])


def test_read_access_is_to_what_the_event_announced(api, countries):
    countries.land(f"{PLACE}/a.csv", GOOD)
    sequence = updated(countries)

    answer = api("GET", f"{PRODUCT}/snapshots/{sequence}/access", by="fleet")

    locations = [blob["location"] for blob in answer.json["blobs"]]
    snapshot = countries.events()[sequence - 1]["data"]["snapshot"]
    assert locations == [snapshot["location"], snapshot["parquet"]]
    assert answer.headers["Cache-Control"] == "no-store"
    assert all("sig=" in blob["url"] for blob in answer.json["blobs"])
    assert answer.json["until"] == "2026-11-22T12:15:00Z"
    assert "sig=" not in json.dumps([log(api), countries.events(), list(countries.storage.blobs)])
    assert log(api)[0]["operation"] == "read_snapshot"


@pytest.mark.parametrize("sequence", ["0", "1", "999", "x", "-1", "9" * 30, "²"])
def test_what_announces_no_data_gives_no_access(api, countries, sequence):
    countries.land(f"{PLACE}/a.csv", GOOD)

    answer = api("GET", f"{PRODUCT}/snapshots/{sequence}/access", by="fleet")

    assert "announces no data" in refused(answer, 404, "unknown-snapshot")


def test_who_may_not_consume_reads_nothing(api, countries):
    countries.land(f"{PLACE}/a.csv", GOOD)
    path = f"{PRODUCT}/snapshots/{updated(countries)}/access"
    agreements.revoke(countries.backbone, COUNTRIES, "fleet", by="Ada", reason="No.")

    refused(api("GET", path, by="fleet"), 403, "not-entitled")
    refused(api("GET", path, by="ops=ops"), 403, "not-entitled")
    refused(api("GET", path, by="rivers=rivers.producer"), 403, "not-entitled")
    assert api("GET", path, by="rivers").status == 200
    assert api("GET", path, by="geography").status == 200


def test_of_parted_data_the_parts_can_be_read_and_not_the_folder(countries):
    parts = [{"path": "day=1/part-0.parquet"}, {"path": "day=2/part-0.parquet"}]
    receipt = json.dumps({"manifest": {"parts": parts}}).encode()
    countries.storage.write("receipts/r.json", receipt, content_type="application/json")
    parquet = {"parquet": "published/p", "manifest": "receipts/r.json#/manifest"}
    each = [f"published/p/{part['path']}" for part in parts]

    def locations(location):
        data = {"snapshot": {"location": location, **parquet}}
        return all_locations(countries.storage, data)

    assert locations("published/a.csv") == ["published/a.csv", *each]
    # Of a Parquet file with bad rows, the folder is all that was published.
    assert locations("published/p") == each


def test_of_a_set_each_member_can_be_read(countries):
    members = [{"location": "published/a.csv", "parquet": "published/a.parquet"}]
    document = json.dumps({"members": members}).encode()
    countries.storage.write("published/set.json", document, content_type="application/json")
    data = {"set": {"folder": "x"}, "snapshot": {"location": "published/set.json"}}

    assert all_locations(countries.storage, data) == [
        "published/set.json",
        "published/a.csv",
        "published/a.parquet",
    ]


def test_of_an_unknown_product_nothing_is_read(world):
    with pytest.raises(NotFound, match="no product"):
        access.grant(world.backbone, COUNTRIES, 1)


def test_who_calls_too_often_waits_and_others_do_not(api, countries, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    limited = replace(countries.backbone, buckets=Buckets(Rate(per_minute=6, burst=2)))
    with replace_backbone(limited):
        answers = [api("GET", "/products", by="fleet") for _ in range(3)]
        other = api("GET", "/products", by="rivers")

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert "Try again in 10 s" in refused(answers[2], 429, "too-many-calls")
    assert answers[2].headers["Retry-After"] == "10"
    assert other.status == 200


def test_a_bucket_fills_again_and_no_fuller():
    buckets = Buckets(Rate(per_minute=60, burst=3))

    assert [buckets.take("a", 0) for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.take("a", 1) == 0
    assert [buckets.take("a", 1000) for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.take("a", 999) == 1  # a clock that goes back gives nothing


def test_callers_who_rest_are_forgotten(monkeypatch):
    monkeypatch.setattr(Buckets, "MOST", 3)
    buckets = Buckets(Rate(per_minute=60, burst=1))
    for number in range(3):
        buckets.take(str(number), 0)

    assert buckets.take("new", 10) == 0
    assert set(buckets._buckets) == {"new"}


@pytest.mark.parametrize("changed", [{"calls_per_minute": 0}, {"calls_at_once": 0}])
def test_a_rate_that_lets_nobody_in(changed):
    data = json.loads((ROOT / "policy.json").read_text())
    data["api"] |= changed

    with pytest.raises(ValueError, match="have to be 1 or more"):
        Policy.from_data(data)


@pytest.mark.parametrize("body", [b"[" * 100_000, rb'{"reason": "\ud800"}', b'{"reason": NaN}'])
def test_no_body_keeps_a_decision_off_the_record(api, countries, body):
    """A body that the operation does not even look at."""
    made = api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by="fleet").json
    path = f"{PRODUCT}/subscriptions/{made['id']}"

    assert api("DELETE", path, data=body, by="fleet").status == 204

    newest = log(api)[0]
    assert (newest["operation"], newest["outcome"], newest["reason"]) == ("unsubscribe", "done", "")
    assert countries.backbone.subscriptions.of_product(COUNTRIES) == []


def test_a_body_is_never_copied_to_put_a_command_down(countries):
    """It may be as large as the platform lets in, whatever the operation takes."""
    call = Call(operation="suspend", parts={"domain": "geography"}, body=bytes(2**22))
    tracemalloc.start()

    audit.begin(countries.backbone, Principal(id="id", name="Ada"), call, "")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(call.body)


def test_a_domain_that_is_called_as_the_meshs_own_log_is_does_not_read_it(api):
    refused(api("GET", "/audit/mesh", by="mesh"), 403, "not-entitled")
    assert api("GET", "/audit/mesh", by="ops=ops").status == 200
