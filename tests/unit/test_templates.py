"""An organisation's own templates: registered once, and held to the profile of a product's data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mesh import approvals, catalogue, onboarding, templates
from mesh.errors import NotFound, Rejected
from mesh.model.names import ProductId
from mesh.model.onboarding import Status
from mesh.model.policy import Policy
from mesh.model.principal import Caller, Principal, Role
from mesh.model.template import TemplateName, TemplateUse, Waiver, WaiverPolicy

COUNTRIES = ProductId(domain="geography", product="countries")


def described(name: str = "node", version: str = "1.0.0", **about: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "kind": "bicep",
        "description": "A node.",
        "source": "https://git.example/infra//node?ref=v1",
        "parameters": {"domain": {"description": "Its name.", "required": True}},
        "satisfies": ["standard"],
        **about,
    }


def use(name: str = "node", version: str = "1.0.0", reason: str | None = None) -> TemplateUse:
    waiver = None if reason is None else Waiver(reason=reason, by="test")
    return TemplateUse(template=TemplateName(name=name, version=version), waiver=waiver)


@pytest.fixture
def onboard(world):
    """Onboard a declaration with a template, to the end of its saga."""
    templates.register(world.backbone, described(), registered_by="test")

    def run(files, template=None):
        saga = onboarding.request(world.backbone, files, requested_by="test", template=template)
        while messages := world.queues.take(onboarding.QUEUE):
            for message in messages:
                saga = onboarding.handle(world.backbone, message.body)
        return onboarding.find(world.backbone, saga.id)

    return run


def caller(identity="ada", *, owns="", is_ops=False):
    held = {Role.OWNER: frozenset({owns})} if owns else {}
    return Caller(principal=Principal(id=identity, name="Ada"), held=held, is_ops=is_ops)


def approved(world, saga):
    approvals.approve(
        world.backbone, saga.id, approver="Ada", reason="Until spring.", caller=caller(is_ops=True)
    )
    while messages := world.queues.take(onboarding.QUEUE):
        for message in messages:
            onboarding.handle(world.backbone, message.body)
    return onboarding.find(world.backbone, saga.id)


def in_force(world):
    return catalogue.find_product(world.backbone, COUNTRIES).template


def test_a_template_is_registered_once(world):
    first = templates.register(world.backbone, described(), registered_by="Ada")
    world.clock.advance(world.backbone.policy.schedule[1])

    again = templates.register(world.backbone, described(), registered_by="Bob")

    assert again == first
    assert (first.registered_by, first.parameters[0].required) == ("Ada", True)
    assert templates.find(world.backbone, first.id) == first


def test_a_registered_template_never_changes(world):
    templates.register(world.backbone, described(), registered_by="Ada")

    with pytest.raises(Rejected, match=r"node@1.0.0 is registered with another content. .*raise"):
        templates.register(world.backbone, described(source="elsewhere"), registered_by="Ada")

    assert templates.register(
        world.backbone, described(version="1.0.1", source="elsewhere"), registered_by="Ada"
    )


def test_the_order_of_parameters_makes_no_other_template(world):
    both = {"a": {"description": "One."}, "b": {"description": "Two."}}
    turned = dict(reversed(both.items()))
    first = templates.register(world.backbone, described(parameters=both), registered_by="Ada")

    again = templates.register(world.backbone, described(parameters=turned), registered_by="Ada")

    assert again == first


def test_a_template_cannot_satisfy_a_profile_that_there_is_not(world):
    with pytest.raises(Rejected, match="satisfies secret; the policy has the profiles protected, "):
        templates.register(world.backbone, described(satisfies=["secret"]), registered_by="Ada")

    assert templates.registered(world.backbone) == []


def test_templates_are_listed_by_name_the_newest_first(world):
    for name, version in [("node", "1.9.0"), ("node", "1.10.0"), ("hub", "1.0.0")]:
        templates.register(world.backbone, described(name, version), registered_by="Ada")

    listed = [str(found.id) for found in templates.registered(world.backbone)]

    assert listed == ["hub@1.0.0", "node@1.10.0", "node@1.9.0"]


def test_a_template_that_there_is_not(world):
    with pytest.raises(NotFound, match=r"no template node@2.0.0. `mesh template list` lists"):
        templates.find(world.backbone, TemplateName(name="node", version="2.0.0"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("node", "'node' names no template. Write it as NAME@VERSION"),
        ("No de@1.0.0", "cannot name a template"),
        ("node@1", "'1' is not a semantic version"),
    ],
)
def test_what_names_no_template(text, says):
    with pytest.raises(Rejected, match=says):
        TemplateName.parse(text)


def test_the_record_the_event_and_the_page_name_the_template(onboard, world, declare):
    saga = onboard(declare(), use())

    assert saga.status is Status.REGISTERED
    assert saga.steps[1].detail == "1 contract(s), template node@1.0.0"
    assert saga.template == in_force(world) == use()
    assert world.events()[-1]["data"]["template"] == {
        "name": "node",
        "version": "1.0.0",
        "waived": [],
    }


def test_no_template_has_to_be_named(onboard, world, declare):
    assert onboard(declare()).status is Status.REGISTERED
    assert in_force(world) is None
    assert "template" not in world.events()[-1]["data"]


def test_a_template_that_is_not_registered_is_a_finding(onboard, declare):
    saga = onboard(declare(), use(version="2.0.0"))

    [finding] = saga.findings
    assert (saga.status, finding.rule, finding.path) == (
        Status.REFUSED,
        "template.unknown",
        "/template",
    )
    assert finding.message == (
        "The template node@2.0.0 is not registered; node is registered as 1.0.0."
    )
    assert "mesh template register FILE" in finding.remedy


@pytest.fixture
def restricted(declare, contract_of):
    return declare(COUNTRIES, contract_of(classification="restricted"))


def test_a_template_that_satisfies_too_little_is_a_finding(onboard, world, restricted):
    saga = onboard(restricted, use())

    [finding] = saga.findings
    assert finding.rule == "template.profile"
    assert finding.message == (
        "node@1.0.0 does not satisfy the profile protected, which data that are restricted ask for."
    )
    assert finding.remedy.startswith("Register one that does, or ask for a waiver")

    both = described("vault", satisfies=["protected", "standard"])
    templates.register(world.backbone, both, registered_by="test")
    assert (
        "Name a template that does (vault@1.0.0), or"
        in onboard(restricted, use()).findings[0].remedy
    )
    assert (
        onboard(restricted, use("vault")).status is Status.WAITING
    )  # as restricted data always do


def test_a_classification_without_a_profile_is_a_finding(onboard, declare, contract_of):
    saga = onboard(declare(COUNTRIES, contract_of(classification="Odd")), use(reason="Try."))

    [finding] = saga.findings
    assert finding.rule == "template.no-profile"
    assert finding.message == "The policy has no security profile for data that are odd."
    assert "policy.json" in finding.remedy


@pytest.fixture
def confidential(declare, contract_of):
    """Data that ask for the profile `protected`, and for nobody's approval by themselves."""
    return declare(COUNTRIES, contract_of(classification="confidential"))


def test_a_waiver_waits_for_an_approval(onboard, world, confidential):
    waiting = onboard(confidential, use(reason="No keys of ours yet."))

    assert waiting.status is Status.WAITING
    assert waiting.steps[-1].detail.endswith("template node@1.0.0, waived for protected")
    done = approved(world, waiting)
    assert done.status is Status.REGISTERED
    waiver = Waiver(
        reason="No keys of ours yet.",
        by="test",
        profiles=("protected",),
        granted_by="Ada",
        until=world.clock() + timedelta(days=180),
    )
    assert in_force(world) == TemplateUse(template=use().template, waiver=waiver)
    assert world.events()[-1]["data"]["template"]["waived"] == ["protected"]


@pytest.mark.usefixtures("onboard")
@pytest.mark.parametrize(
    ("granted_by", "who", "problem"),
    [
        ("ops", caller(is_ops=True), None),
        ("ops", caller(owns="geography"), "not-entitled"),
        ("ops", caller(owns="*"), "not-entitled"),
        ("ops", caller("bob", is_ops=True), "own-waiver"),
        ("office", caller(owns="office"), None),
        ("office", caller("bob", owns="office"), "own-waiver"),
        ("office", caller(owns="geography"), "not-entitled"),
        ("office", caller(is_ops=True), "not-entitled"),
        ("geography", caller(owns="geography"), "not-entitled"),
        ("geography", caller(is_ops=True), None),
    ],
)
def test_a_waiver_is_granted_by_another_role_and_person(
    world, confidential, granted_by, who, problem
):
    world.backbone = backbone = replace(
        world.backbone, policy=replace(world.backbone.policy, waivers=office(granted_by))
    )
    saga = onboarding.request(
        backbone, confidential, requested_by="Bob", asker="bob", template=use(reason="Soon.")
    )
    while messages := world.queues.take(onboarding.QUEUE):
        for message in messages:
            onboarding.handle(backbone, message.body)

    def decide():
        return approvals.approve(backbone, saga.id, approver="x", reason="y", caller=who)

    if problem is None:
        assert decide().template.waiver.granted_by == "Ada"
        return
    with pytest.raises(Rejected) as refused:
        decide()
    assert (refused.value.status, refused.value.problem) == (403, problem)
    assert onboarding.find(backbone, saga.id).status is Status.WAITING


def office(granted_by):
    return WaiverPolicy(granted_by=granted_by, lifetime=timedelta(days=1))


def test_a_waiver_ends(onboard, world, confidential, declare, contract_of):
    asked = use(reason="No keys of ours yet.")
    approved(world, onboard(confidential, asked))
    secret = contract_of(classification="confidential")
    world.clock.advance(timedelta(days=180))

    [finding] = onboard(declare(COUNTRIES, secret, version="1.1.0")).findings
    assert finding.rule == "template.profile"
    again = onboard(confidential, asked)
    assert again.status is Status.WAITING
    assert approved(world, again).template.waiver.until == world.clock() + timedelta(days=180)


def test_the_api_lets_who_grants_see_and_grant_and_keeps_it_on_record(api, world, confidential):
    api("POST", "/templates", described(), by="ops=ops")
    template = {"name": "node", "version": "1.0.0", "waiver": {"reason": "Soon."}}
    owner = "geography=geography.producer,geography.owner"
    body = {"files": confidential, "template": template}
    asked = api("POST", "/onboardings", body, by=owner).json["id"]
    while messages := world.queues.take(onboarding.QUEUE):
        for message in messages:
            onboarding.handle(world.backbone, message.body)
    path = f"/onboardings/{asked}/approval"
    decision = {"decision": "approve", "reason": "Until the keys come."}

    for by in (owner, "other=geography.owner"):
        assert api("POST", path, decision, by=by).status == 403
    assert api("GET", f"/onboardings/{asked}", by=owner).json["status"] == "waiting"
    granted = api("POST", path, decision, by="ops=ops").json

    assert granted["template"]["waiver"]["until"] == "2027-05-21T12:00:00Z"
    log = api("GET", "/audit/geography", by="ops=ops").json["entries"]
    assert [(one["operation"], one["outcome"], one["name"]) for one in log[:3]] == [
        ("decide_onboarding", "done", "ops"),
        ("decide_onboarding", "not-entitled", "other"),
        ("decide_onboarding", "not-entitled", "geography"),
    ]
    assert log[0]["reason"] == "Until the keys come."


@pytest.mark.parametrize(
    "waivers", [{"granted_by": "*", "days": 1}, {"granted_by": "a", "days": 0}]
)
def test_a_policy_of_waivers_that_makes_no_sense(waivers):
    with pytest.raises(ValueError, match=r"security\.waivers\."):
        WaiverPolicy.from_data(waivers)


def test_a_waiver_that_nothing_needs_is_dropped(onboard, world, declare):
    assert onboard(declare(), use(reason="To be safe.")).status is Status.REGISTERED
    assert in_force(world) == use()


def test_a_product_keeps_its_template_until_another_is_named(onboard, world, declare):
    onboard(declare(), use())
    templates.register(world.backbone, described(version="1.1.0"), registered_by="test")

    onboard(declare(version="1.1.0"))
    assert in_force(world) == use()

    onboard(declare(version="1.1.0"), use(version="1.1.0"))
    assert in_force(world) == use(version="1.1.0")
    assert world.events()[-1]["type"] == "mesh.product.changed.v1"

    onboard(declare(version="1.1.0"), use())
    onboard(declare(version="1.1.0"), use(version="1.1.0"))
    assert in_force(world) == use(version="1.1.0")


def test_asking_for_the_template_that_is_in_force_changes_nothing(onboard, world, declare):
    first = onboard(declare(), use())
    before = world.events()

    assert onboard(declare(), use()) == first
    assert onboard(declare()).status is Status.REGISTERED
    assert world.events() == before


def test_a_kept_template_is_held_to_what_the_new_version_asks_for(onboard, declare, confidential):
    onboard(declare(), use())

    assert [
        found.rule for found in onboard(confidential).findings if found.path == "/template"
    ] == ["template.profile"]


def test_a_kept_waiver_needs_no_second_approval(onboard, world, confidential, declare, contract_of):
    approved(world, onboard(confidential, use(reason="No keys of ours yet.")))
    before = in_force(world)

    again = onboard(declare(COUNTRIES, contract_of(classification="confidential"), version="1.1.0"))

    assert again.status is Status.REGISTERED
    assert in_force(world) == before


def test_a_waiver_that_shrinks_needs_no_approval_and_one_that_grows_does(
    onboard, world, declare, contract_of
):
    templates.register(world.backbone, described("bare", satisfies=[]), registered_by="test")
    secret = contract_of(classification="confidential")
    approved(world, onboard(declare(COUNTRIES, secret), use("bare", reason="For now.")))
    assert in_force(world).waiver.profiles == ("protected", "standard")
    for field in secret["schema"][0]["properties"]:
        field["classification"] = "confidential"
    secret["version"] = "2.0.0"

    smaller = onboard(declare(COUNTRIES, secret, ports=(("countries", "2.0.0"),)))

    assert smaller.status is Status.REGISTERED, smaller.findings
    assert in_force(world).waiver.profiles == ("protected",)
    public = contract_of(version="3.0.0")
    again = declare(COUNTRIES, public, ports=(("countries", "3.0.0"),))
    assert [found.rule for found in onboard(again).findings] == ["template.profile"]
    assert onboard(again, use("bare", reason="For now.")).status is Status.WAITING


def test_a_request_by_the_queue_names_a_template_too(world, declare):
    message = {
        "files": declare(),
        "template": {"name": "node", "version": "9.0.0", "waiver": {"reason": "Why not."}},
    }
    saga = onboarding.handle(world.backbone, message)

    assert saga.template == TemplateUse(
        template=TemplateName(name="node", version="9.0.0"),
        waiver=Waiver(reason="Why not.", by="queue"),
    )


def test_the_api_registers_lists_and_shows(api):
    made = api("POST", "/templates", described())

    assert (made.status, made.headers["Location"]) == (201, "/api/templates/node/1.0.0")
    assert api("GET", "/templates/node/1.0.0").json == made.json
    listed = api("GET", "/templates").json
    assert listed["templates"] == [made.json]
    assert [one["name"] for one in listed["profiles"]] == ["standard", "protected"]
    assert made.json["registered_by"] == api("GET", "/whoami").json["name"]
    for body, status, problem in [
        (described(source="other"), 409, "template-immutable"),
        (described(version="2.0.0", satisfies=["odd"]), 422, "unknown-profile"),
        (described(version="2"), 422, "invalid-body"),
        (described(version="2.0.0", registered_by="Somebody else"), 422, "invalid-body"),
    ]:
        answer = api("POST", "/templates", body)
        assert (answer.status, answer.json["type"]) == (status, f"urn:mesh:problems:{problem}")
    assert api("GET", "/templates/node/7.0.0").json["type"].endswith("unknown-template")
    assert api("GET", "/templates/node/seven").json["type"].endswith("invalid-version")


def test_the_api_names_the_template_of_an_onboarding_and_a_product(api, world, declare):
    api("POST", "/templates", described())
    named = {"name": "node", "version": "1.0.0"}
    asked = api("POST", "/onboardings", {"files": declare(), "template": named})
    while messages := world.queues.take(onboarding.QUEUE):
        for message in messages:
            onboarding.handle(world.backbone, message.body)

    assert asked.json["template"] == {**named, "waiver": None}
    assert api("GET", f"/onboardings/{asked.json['id']}").json["template"] == asked.json["template"]
    assert api("GET", "/products/geography/countries").json["template"] == asked.json["template"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"network": "open"}, "security.profiles.standard.network is 'open', not one of public, "),
        ({"encryption": "none"}, "standard.encryption is 'none', not one of platform_key, "),
        ({"classifications": ["restricted"]}, "has restricted in more than one profile"),
        ({"retention_days": "long"}, "invalid literal"),
    ],
)
def test_a_policy_whose_profiles_make_no_sense(change, says):
    from mesh.backbone import POLICY_FILE

    data = json.loads(POLICY_FILE.read_text(encoding="utf-8"))
    assert Policy.from_data(data).profiles[0].name == "standard"
    data["security"]["profiles"]["standard"] |= change

    with pytest.raises(ValueError, match=says):
        Policy.from_data(data)
