"""What is put on record, who reads data, and how often one may call."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from mesh import access, agreements
from mesh.backbone import replace_backbone
from mesh.errors import NotFound, Unavailable
from mesh.model.entitlement import DECISIONS, RULES
from mesh.model.names import ProductId
from mesh.model.policy import Policy
from mesh.model.rate import Buckets, Rate
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

    assert told[:3] == [
        ("stranger", "not-entitled"),
        ("rivers", "not-entitled"),
        ("fleet", "no-agreement"),
    ]
    assert [entry["operation"] for entry in log(api, "mesh")] == ["list_dead_letters"]


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
    assert set(RULES) > DECISIONS


def test_what_cannot_be_put_on_record_is_not_answered(api, countries):
    class Broken:
        def append(self, deed):
            raise Unavailable(deed.operation)

    with replace_backbone(replace(countries.backbone, audit=Broken())):
        for by in ("fleet", "rivers"):
            answer = api("POST", PRODUCT + "/subscriptions", SUBSCRIBE, by=by)
            refused(answer, 503, "unavailable")


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
        return access._locations(countries.backbone, data)

    assert locations("published/a.csv") == ["published/a.csv", *each]
    # Of a Parquet file with bad rows, the folder is all that was published.
    assert locations("published/p") == each


def test_of_a_set_each_member_can_be_read(countries):
    members = [{"location": "published/a.csv", "parquet": "published/a.parquet"}]
    document = json.dumps({"members": members}).encode()
    countries.storage.write("published/set.json", document, content_type="application/json")
    data = {"set": {"folder": "x"}, "snapshot": {"location": "published/set.json"}}

    assert access._locations(countries.backbone, data) == [
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


def test_a_domain_that_is_called_as_the_meshs_own_log_is_does_not_read_it(api):
    refused(api("GET", "/audit/mesh", by="mesh"), 403, "not-entitled")
    assert api("GET", "/audit/mesh", by="ops=ops").status == 200
