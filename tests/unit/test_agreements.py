"""Who may consume: asked for, decided, ended; and what follows for whoever is subscribed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from mesh import agreements, replays, subscriptions, suspensions
from mesh.errors import NotFound, Rejected
from mesh.model.agreement import AgreementPolicy, Standing
from mesh.model.delivery import DeliveryAttempt
from mesh.model.names import ProductId
from mesh.model.policy import Policy
from mesh.model.subscription import PULL, Channel, Filter, Route, State
from tests.unit.test_entitlement import ROOT, refused

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name\nCH,Switzerland\n"
HOOK = Route(channel=Channel.PUSH, target="https://fleet.example/hook")
WHY = {"by": "Ada", "reason": "Because."}
PRODUCT = "/products/geography/countries"


@pytest.fixture
def asking(countries):
    """A mesh where the owner of `geography/countries` decides who may consume it."""
    policy = AgreementPolicy(owner_decides=frozenset({"geography/*"}))
    countries.backbone = replace(
        countries.backbone, policy=replace(countries.backbone.policy, agreements=policy)
    )
    return countries


def ask(world, consumer="fleet"):
    return agreements.request(world.backbone, COUNTRIES, consumer, purpose="To fly.", by="Bo")


def granted(world, days=30, consumer="fleet"):
    ask(world, consumer)
    return agreements.approve(world.backbone, COUNTRIES, consumer, **WHY, days=days)


def subscribe(world, route=HOOK, subscriber="fleet"):
    return subscriptions.subscribe(
        world.backbone, COUNTRIES, subscriber=subscriber, route=route, wanted=Filter()
    ).subscription


def now(world, subscription):
    return subscriptions.find(world.backbone, COUNTRIES, subscription.id)


def told(world):
    """Types and files that went to the webhook."""
    return [json.loads(one.body)["type"] for one in world.webhooks.requests]


def types(world):
    return [event["type"].split(".")[2] for event in world.events() if "agreement" in event["type"]]


def test_what_the_policy_leaves_open_needs_no_agreement(countries):
    assert subscribe(countries).until is None
    assert types(countries) == []


def test_who_asks_where_nobody_decides_has_it_at_once(countries):
    made = ask(countries)

    assert (made.standing, made.decided_by, made.purpose) == (Standing.GRANTED, "policy", "To fly.")
    assert made.expires_at == countries.clock() + timedelta(days=365)
    assert types(countries) == ["granted"]
    assert ask(countries) == made


def test_where_the_owner_decides_nobody_consumes_before(asking):
    with pytest.raises(Rejected, match="fleet has no agreement in force") as failed:
        subscribe(asking)
    assert (failed.value.status, failed.value.problem) == (403, "no-agreement")

    made = ask(asking)
    assert (made.standing, ask(asking)) == (Standing.REQUESTED, made)
    with pytest.raises(Rejected, match="no agreement"):
        subscribe(asking)
    approved = agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=None)

    assert subscribe(asking).until == approved.expires_at
    assert types(asking) == ["requested", "granted"]
    assert "To fly." not in json.dumps(asking.events())


def test_the_own_domain_needs_none(asking):
    assert subscribe(asking, subscriber="geography").until is None
    with pytest.raises(Rejected, match="geography's own"):
        ask(asking, "geography")


def test_what_was_refused_stays_so_until_it_is_asked_for_again(asking):
    ask(asking)
    agreements.refuse(asking.backbone, COUNTRIES, "fleet", **WHY)
    agreements.refuse(asking.backbone, COUNTRIES, "fleet", **WHY)

    with pytest.raises(Rejected, match="no agreement"):
        subscribe(asking)
    assert ask(asking).standing is Standing.REQUESTED
    assert types(asking) == ["requested", "refused", "requested"]


def test_what_is_in_force_is_revoked_not_refused(asking):
    granted(asking)

    with pytest.raises(Rejected, match="is granted, not requested"):
        agreements.refuse(asking.backbone, COUNTRIES, "fleet", **WHY)


def test_nobody_decides_about_what_nobody_asked_for(asking):
    with pytest.raises(NotFound, match="fleet has not asked"):
        agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=1)
    with pytest.raises(Rejected, match="cannot name a domain"):
        ask(asking, "A b")
    nowhere = ProductId(domain="geography", product="nowhere")
    with pytest.raises(NotFound, match="no product"):
        agreements.request(asking.backbone, nowhere, "fleet", purpose="x", by="x")


def test_an_approval_again_lasts_longer(asking):
    first = granted(asking, days=10)
    subscription = subscribe(asking)
    asking.clock.advance(timedelta(days=5))
    second = agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=10)

    assert second.expires_at == first.expires_at + timedelta(days=5)
    assert now(asking, subscription).until == second.expires_at


def test_the_end_is_announced_before_it_comes_once(asking):
    granted(asking, days=20)
    for _ in range(20):
        asking.clock.advance(timedelta(days=1))
        agreements.check_all(asking.backbone)
        agreements.check_all(asking.backbone)

    assert types(asking) == ["requested", "granted", "expiring", "expired"]
    assert agreements.find(asking.backbone, COUNTRIES, "fleet").standing is Standing.EXPIRED


def test_at_its_end_deliveries_stop_even_before_the_timer(asking):
    granted(asking, days=1)
    subscribe(asking)
    asking.clock.advance(timedelta(days=1))
    asking.land(f"{PLACE}/a.csv", GOOD)
    asking.deliver()

    assert [kind for kind in told(asking) if kind == "mesh.product.updated.v1"] == []


def test_what_a_renewal_came_too_late_for_is_not_lost(asking):
    """Between its end and the timer nothing was told, so its owner is asked about that time."""
    granted(asking, days=1)
    subscription = subscribe(asking)
    asking.clock.advance(timedelta(days=1))
    asking.land(f"{PLACE}/a.csv", GOOD)
    asking.deliver()
    agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=30)

    assert now(asking, subscription).state is State.SUSPENDED
    suspensions.resume(asking.backbone, COUNTRIES, subscription.id, held="replay")
    asking.deliver()

    assert told(asking).count("mesh.product.updated.v1") == 1


def test_what_waits_for_another_attempt_is_dropped_and_the_end_is_told(asking):
    granted(asking)
    subscription = subscribe(asking)
    asking.webhooks.answers.append(
        DeliveryAttempt(outcome="retry", status=503, reason="Busy.", duration_s=0)
    )
    asking.land(f"{PLACE}/a.csv", GOOD)
    asking.deliver()
    asking.webhooks.requests.clear()

    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    asking.clock.advance(timedelta(days=2))
    asking.land(f"{PLACE}/b.csv", GOOD)
    asking.deliver()

    assert told(asking) == ["mesh.agreement.revoked.v1"]
    barred = now(asking, subscription)
    assert (barred.state, barred.reason) == (
        State.BARRED,
        "The agreement is revoked. Because.",
    )


def test_who_is_barred_cannot_let_itself_in(asking):
    granted(asking)
    subscription = subscribe(asking)
    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    backbone = asking.backbone

    with pytest.raises(Rejected, match="no agreement"):
        suspensions.resume(backbone, COUNTRIES, subscription.id, held="replay")
    assert suspensions.suspend(backbone, COUNTRIES, subscription.id, reason="x").state == "barred"
    with pytest.raises(Rejected, match="no agreement"):
        replays.replay(backbone, COUNTRIES, subscription.id, start=replays.From(last=1))
    with pytest.raises(Rejected, match="no agreement"):
        subscribe(asking)


@pytest.mark.parametrize("route", [HOOK, PULL])
def test_who_decides_last_is_followed_though_the_other_is_slower(asking, route):
    granted(asking)
    subscription = subscribe(asking, route)
    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    others = [partial(agreements.revoke, asking.backbone, COUNTRIES, "fleet", **WHY)]

    class Raced:
        """Another decides once this one has."""

        def __getattr__(self, name):
            return getattr(asking.backbone.subscriptions, name)

        def of_product(self, product):
            while others:
                others.pop()()
            return asking.backbone.subscriptions.of_product(product)

    raced = replace(asking.backbone, subscriptions=Raced())
    agreements.approve(raced, COUNTRIES, "fleet", **WHY, days=30)

    assert agreements.find(asking.backbone, COUNTRIES, "fleet").standing is Standing.REVOKED
    assert now(asking, subscription).state is State.BARRED
    assert asking.pull.existing == {}


def test_a_receiver_that_is_gone_is_not_told_of_an_end_and_stays_gone(asking):
    granted(asking)
    subscription = subscribe(asking)
    asking.webhooks.answers.append(
        DeliveryAttempt(outcome="gone", status=410, reason="410 Gone.", duration_s=0)
    )
    asking.land(f"{PLACE}/a.csv", GOOD)
    asking.deliver()
    asking.webhooks.requests.clear()
    asking.webhooks.unwilling.add(HOOK.target)

    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    asking.deliver()
    assert now(asking, subscription).state is State.BARRED
    agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=30)
    asking.deliver()

    assert told(asking) == []
    assert now(asking, subscription).state is State.GONE
    with pytest.raises(Rejected, match="does not want our notifications"):
        suspensions.resume(asking.backbone, COUNTRIES, subscription.id, held="replay")


def test_who_is_suspended_is_told_of_an_end_neither(asking):
    granted(asking)
    subscription = subscribe(asking)
    suspensions.suspend(asking.backbone, COUNTRIES, subscription.id, reason="It moves.")

    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    asking.deliver()

    assert told(asking) == []


def test_with_a_new_agreement_it_is_told_what_it_wants_of_the_past(asking):
    granted(asking)
    subscription = subscribe(asking)
    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    asking.land(f"{PLACE}/a.csv", GOOD)
    asking.deliver()
    agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=30)
    asking.webhooks.requests.clear()

    assert now(asking, subscription).state is State.SUSPENDED
    suspensions.resume(asking.backbone, COUNTRIES, subscription.id, held="replay")
    asking.deliver()

    assert "mesh.product.updated.v1" in told(asking)


def test_a_pull_subscription_is_deleted_and_made_again(asking):
    granted(asking)
    subscription = subscribe(asking, PULL)
    assert subscription.target in asking.pull.existing

    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    assert subscription.target not in asking.pull.existing

    agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=30)
    assert subscription.target in asking.pull.existing
    assert now(asking, subscription).state is State.ACTIVE


def test_others_are_left_in_peace(asking):
    granted(asking)
    granted(asking, consumer="rivers")
    other = subscribe(asking, PULL, "rivers")

    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)

    assert now(asking, other).state is State.ACTIVE


def test_an_open_product_is_closed_to_one_domain(countries):
    subscription = subscribe(countries)
    agreements.revoke(countries.backbone, COUNTRIES, "fleet", **WHY)
    agreements.revoke(countries.backbone, COUNTRIES, "fleet", **WHY)

    assert types(countries) == ["revoked"]
    assert now(countries, subscription).state is State.BARRED
    assert ask(countries).standing is Standing.REQUESTED  # the policy does not open it again


def test_what_a_crash_left_of_an_end_the_timer_does(asking):
    granted(asking)
    subscription = subscribe(asking)
    before = now(asking, subscription)
    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    asking.backbone.subscriptions.add(before)

    assert agreements.check_all(asking.backbone) == 0
    assert now(asking, subscription).state is State.BARRED


def test_what_a_crash_left_of_a_beginning_the_timer_does_too(asking):
    granted(asking)
    webhook, pulled = subscribe(asking), subscribe(asking, PULL)
    agreements.revoke(asking.backbone, COUNTRIES, "fleet", **WHY)
    before = [now(asking, webhook), now(asking, pulled)]
    agreements.approve(asking.backbone, COUNTRIES, "fleet", **WHY, days=300)
    for barred in before:
        asking.backbone.subscriptions.add(barred)
    asking.backbone.pull.delete(pulled.target)

    assert agreements.check_all(asking.backbone) == 0

    assert now(asking, webhook).state is State.SUSPENDED
    assert now(asking, pulled).state is State.ACTIVE
    assert pulled.target in asking.pull.existing


def test_a_composite_needs_agreements_about_its_inputs(asking, declare, contract_of):
    rivers = ProductId(domain="water", product="rivers")
    files = declare(
        rivers,
        contract_of(rivers, object_name="rivers"),
        ports=(("rivers", "1.0.0"),),
        inputs=(("countries", "urn:mesh:geography:countries:countries"),),
    )

    refused_ = asking.onboard(files)
    assert [finding.rule for finding in refused_.findings] == ["product.no-agreement"]

    granted(asking, consumer="water")
    assert asking.onboard(files).status == "registered"
    [reads] = asking.backbone.subscriptions.of_product(COUNTRIES)
    agreements.revoke(asking.backbone, COUNTRIES, "water", **WHY)
    asking.land(f"{PLACE}/a.csv", GOOD)
    asking.deliver()
    assert asking.backbone.registry.inputs(rivers, "") == []
    agreements.approve(asking.backbone, COUNTRIES, "water", **WHY, days=30)
    assert now(asking, reads).state is State.ACTIVE


def test_one_products_trouble_keeps_no_other_from_being_checked(asking, monkeypatch):
    def broken(product):
        raise RuntimeError(str(product))

    monkeypatch.setattr(asking.backbone.registry, "agreements", broken)
    with pytest.raises(ExceptionGroup, match="could not be checked"):
        agreements.check_all(asking.backbone)


@pytest.mark.usefixtures("countries")
def test_over_http_each_does_what_is_its_own(api):
    path = PRODUCT + "/agreements"
    wish = {"consumer": "fleet", "purpose": "To fly."}
    refused(api("POST", path, wish, by="rivers"), 403, "not-entitled")
    made = api("POST", path, wish, by="fleet")
    assert (made.status, made.json["requested_by"]) == (201, "fleet")
    assert made.headers["Location"] == f"/api{path}/fleet"

    decision = {"decision": "revoke", "reason": "Because."}
    refused(api("POST", f"{path}/fleet/decision", decision, by="fleet"), 403, "not-entitled")
    refused(api("POST", f"{path}/fleet/decision", decision, by="ops=ops"), 403, "not-entitled")
    revoked = api("POST", f"{path}/fleet/decision", decision, by="geography").json
    assert (revoked["standing"], revoked["decided_by"]) == ("revoked", "geography")
    refused(api("POST", f"{path}/nobody/decision", {**decision, "decision": "approve"}), 404,
            "unknown-agreement")  # fmt: skip

    assert len(api("GET", path, by="geography").json["agreements"]) == 1
    assert len(api("GET", path, by="fleet").json["agreements"]) == 1
    assert api("GET", path, by="rivers").json["agreements"] == []
    refused(api("GET", f"{path}/fleet", by="rivers"), 403, "not-entitled")
    refused(api("GET", PRODUCT + "/events", by="fleet"), 403, "not-entitled")
    assert api("GET", PRODUCT + "/events", by="rivers").status == 200
    subscribe_ = {"subscriber": "fleet"}
    refused(api("POST", PRODUCT + "/subscriptions", subscribe_, by="fleet"), 403, "no-agreement")
    approve = {"decision": "approve", "reason": "Fine.", "days": 3}
    api("POST", f"{path}/fleet/decision", approve, by="geography")
    assert api("POST", PRODUCT + "/subscriptions", subscribe_, by="fleet").status == 201


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"owner_decides": ["A b"]}, "'A b' is no address"),
        ({"owner_decides": ["geography/"]}, "'geography/' is no address"),
        ({"days": 10, "reminder_days": 10}, "days has to be more"),
        ({"reminder_days": -1}, "days has to be more"),
    ],
)
def test_a_policy_that_makes_no_sense(changed, says):
    data = json.loads((ROOT / "policy.json").read_text())
    data["agreements"] |= changed

    with pytest.raises(ValueError, match=says):
        Policy.from_data(data)


def test_addresses_of_the_policy():
    other = ProductId(domain="geography", product="rivers")
    for address, both in (("*", True), ("geography/*", True), ("geography/countries", False)):
        policy = AgreementPolicy(owner_decides=frozenset({address}))
        assert policy.asks_owner(COUNTRIES)
        assert policy.asks_owner(other) == both


def test_the_journey_of_a_file_tells_who_is_barred_and_why(api, countries):
    subscribe(countries)
    subscribe(countries, PULL)
    agreements.revoke(countries.backbone, COUNTRIES, "fleet", **WHY)
    drop = countries.land(f"{PLACE}/a.csv", GOOD).drop
    countries.deliver()

    [event] = api("GET", f"{PRODUCT}/drops/{drop}").json["events"]

    for told_ in event["subscribers"]:
        assert (told_["state"], told_["reason"]) == (
            "barred",
            "The agreement is revoked. Because.",
        )
        assert told_["attempts"] == []
