"""Who may do what: every route, for strangers, for the wrong domain, for the wrong role."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.callers import principal
from mesh.backbone import replace_backbone
from mesh.model.entitlement import OPEN, RULES
from mesh.model.policy import Policy
from mesh.model.principal import Grant, Principal, Role, caller_of
from mesh.schemas import openapi
from tests.conftest import easy_auth
from tests.unit.test_api import refused
from tests.unit.test_openapi import OPERATIONS, fill

ROOT = Path(__file__).parents[2]
PRODUCT = "/products/geography/countries"
HOOK = "https://fleet.example/hook"
SUBSCRIBE = {"subscriber": "fleet", "webhook": HOOK}
GUARDED = [
    (path, method.upper())
    for path, method in OPERATIONS
    if openapi()["paths"][path][method]["operationId"] not in OPEN
]
BODIES = {
    "onboardings": {"files": {"a": "b"}},
    "approval": {"decision": "approve", "reason": "Fine."},
    "subscriptions": SUBSCRIBE,
    "agreements": {"consumer": "fleet", "purpose": "To fly."},
    "decision": {"decision": "approve", "reason": "Because."},
    "suspension": {"reason": "Because."},
    "resumption": {"held": "skip"},
    "replays": {"last": 1},
    "acknowledgements": {"sequence": 1},
    "resubmissions": {"source": "onboarding", "number": 1},
    "templates": {
        "name": "node",
        "version": "1.0.0",
        "kind": "bicep",
        "source": "https://example.org/node",
        "description": "A node.",
    },
    "discards": {"source": "onboarding", "number": 1, "reason": "Because."},
}
"""A good body by the end of the path, so that nothing but the rule can refuse a call."""


@pytest.fixture
def filled(countries, contract_of, declare):
    """A mesh with something of everything: ids that exist, by the parameter of the path."""
    return fill(countries, contract_of, declare)


def asked(api, filled, path, method, by):
    at = re.sub(r"\{(\w+)\}", lambda part: filled[part[1]], path)
    return api(method, at, BODIES.get(path.rpartition("/")[2]), by=by)


def test_there_is_a_rule_for_each_operation_and_no_other(functions_over_http):
    operations = {function.name for function in functions_over_http.functions}

    assert set(RULES) | OPEN == operations
    assert {function.auth_level for function in functions_over_http.functions} == {"ANONYMOUS"}


def test_the_page_tells_each_rule():
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))

    assert told == {name: rule.in_words for name, rule in RULES.items()}


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_a_stranger_is_refused_everywhere(api, filled, path, method):
    nobody = asked(api, filled, path, method, None)
    stranger = asked(api, filled, path, method, "stranger=")

    refused(nobody, 401, "not-signed-in")
    assert "stranger (object id id-of-stranger) has no role" in refused(
        stranger, 403, "not-entitled"
    )
    for answer in (nobody, stranger):
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_whoever_may_do_everything_is_refused_nowhere(api, filled, path, method):
    assert asked(api, filled, path, method, "developer").status not in {401, 403, 500}


@pytest.mark.parametrize(("path", "method"), GUARDED)
def test_another_domain_sees_what_everybody_sees_and_no_more(api, filled, path, method):
    """`lakes` is a domain like others, and has to do neither with the product nor with `fleet`."""
    operation = openapi()["paths"][path][method.lower()]["operationId"]
    everybodys = {
        "whoami",
        "list_products",
        "get_product",
        "get_contract",
        "get_schema",
        "find_drops",
        "list_templates",
        "get_template",
        "list_events",
        "list_agreements",
        "list_notices",
        "read_snapshot",  # for the product is open to all domains
        "list_subscriptions",
        "request_onboarding",  # of a declaration that cannot be read, which ends in findings
    }

    answer = asked(api, filled, path, method, "lakes")

    assert (answer.status != 403) == (operation in everybodys)


@pytest.mark.parametrize(
    ("path", "method", "by"),
    [
        (PRODUCT + "/subscriptions", "POST", "geography"),  # for another domain
        (PRODUCT + "/subscriptions", "POST", "fleet=fleet.producer"),
        (PRODUCT + "/subscriptions", "POST", "ops=ops"),
        (PRODUCT + "/subscriptions/{subscription}/secret", "POST", "ops=ops"),
        (PRODUCT + "/subscriptions/{subscription}/secret", "POST", "geography"),
        (PRODUCT + "/subscriptions/{subscription}/acknowledgements", "POST", "geography"),
        (PRODUCT + "/drops/{drop}/receipt", "GET", "fleet"),
        (PRODUCT + "/drops/{drop}/receipt", "GET", "geography=geography.consumer"),
        ("/onboardings/{onboarding}/approval", "POST", "geography=geography.producer"),
        ("/dead-letters", "GET", "geography"),
    ],
)
def test_the_wrong_role_is_refused_and_told_what_it_takes(api, filled, path, method, by):
    detail = refused(asked(api, filled, path, method, by), 403, "not-entitled")

    operation = next(
        openapi()["paths"][known][method.lower()]["operationId"]
        for known, _ in OPERATIONS
        if known.replace("{domain}", "geography").replace("{product}", "countries") == path
        and method.lower() in openapi()["paths"][known]
    )
    assert RULES[operation].in_words in detail


def test_a_domain_onboards_its_own_products_only(api, declare):
    body = {"files": declare()}

    assert api("POST", "/onboardings", body, by="geography").status == 202
    assert "producer of the declared product's domain" in refused(
        api("POST", "/onboardings", body, by="fleet"), 403, "not-entitled"
    )


def test_whoever_sent_a_declaration_sees_what_becomes_of_it(api):
    asked = api("POST", "/onboardings", {"files": {"a": "b"}}, by="fleet").json

    assert asked["requested_by"] == "fleet"
    path = f"/onboardings/{asked['id']}"
    assert api("GET", path, by="fleet").json["id"] == asked["id"]
    refused(api("GET", path, by="geography"), 403, "not-entitled")


@pytest.mark.usefixtures("filled")
def test_lists_tell_a_domain_of_its_own(api):
    subscriptions = PRODUCT + "/subscriptions"

    def seen(path, kind, by):
        return len(api("GET", path, by=by).json[kind])

    assert seen(subscriptions, "subscriptions", "fleet") == 1
    assert seen(subscriptions, "subscriptions", "geography") == 1
    assert seen(subscriptions, "subscriptions", "ops=ops") == 1
    assert seen(subscriptions, "subscriptions", "rivers") == 0
    assert [seen("/drops", "drops", by) for by in ("geography", "ops=ops", "rivers")] == [1, 1, 0]


def test_a_file_that_no_product_was_found_for_is_its_domains(api, countries):
    entry = countries.land("rivers/none/v1/none/a.csv", b"x\n")
    path = f"/products/unplaced/files/drops/{entry.drop}"

    assert api("GET", path, by="rivers").status == 200
    assert api("GET", path + "/receipt", by="rivers").status == 200
    refused(api("GET", path, by="geography"), 403, "not-entitled")
    assert [drop["drop"] for drop in api("GET", "/drops", by="rivers").json["drops"]] == [
        entry.drop
    ]


def test_nobodys_domain_is_called_as_the_record_of_lost_files_is(api, countries):
    countries.land("rivers/none/v1/none/a.csv", b"x\n")

    refused(api("GET", "/products/unplaced/files/drops", by="unplaced"), 403, "not-entitled")
    assert len(api("GET", "/products/unplaced/files/drops", by="ops=ops").json["drops"]) == 1


def test_where_nobody_checks_identities_nobody_is_believed(api, countries):
    with replace_backbone(replace(countries.backbone, easy_auth=False)):
        assert api("GET", "/health", by=None).status == 200
        detail = refused(api("GET", "/products"), 401, "not-signed-in")

    assert "App Service authentication is not on" in detail


def test_who_one_is(api):
    told = api("GET", "/whoami", by="fleet=fleet.consumer,ops").json

    assert told == {
        "id": "id-of-fleet",
        "name": "fleet",
        "ops": True,
        "roles": {"consumer": ["fleet"]},
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ms-client-principal": "%"},
        {"x-ms-client-principal": base64.b64encode(b"[]").decode()},
        {"x-ms-client-principal": base64.b64encode(b'{"claims": 1}').decode()},
        {"x-ms-client-principal": base64.b64encode(b'{"claims": [{}]}').decode()},
        {"x-ms-client-principal": base64.b64encode(b"\xff").decode()},
        {"x-ms-client-principal-id": "alone"},
    ],
)
def test_headers_that_tell_of_nobody(headers):
    assert principal(headers) is None


@pytest.mark.parametrize("changed", [{"auth_typ": "github"}, {"claims": []}])
def test_only_entra_says_who_somebody_is(changed):
    headers = easy_auth("fleet")
    told = json.loads(base64.b64decode(headers["x-ms-client-principal"])) | changed
    headers["x-ms-client-principal"] = base64.b64encode(json.dumps(told).encode()).decode()

    assert principal(headers) is None


def test_claims_are_read_under_short_and_long_names():
    claims = {
        "http://schemas.microsoft.com/identity/claims/objectidentifier": "o",
        "appid": "a",
        "http://schemas.microsoft.com/ws/2008/06/identity/claims/role": "ops",
        "groups": "g",
    }
    told = {"auth_typ": "aad", "claims": [{"typ": k, "val": v} for k, v in claims.items()]}

    found = principal(
        {"x-ms-client-principal": base64.b64encode(json.dumps(told).encode()).decode()}
    )

    assert found == Principal(
        id="o", name="a", app="a", groups=frozenset({"g"}), app_roles=frozenset({"ops"})
    )


@pytest.mark.parametrize("scope", ["scp", "http://schemas.microsoft.com/identity/claims/scope"])
def test_whoever_signs_in_through_an_application_is_not_that_application(scope):
    """The token of a person has scopes, and the id of whatever application they use."""
    claims = {"oid": "person", "azp": "a", scope: "user_impersonation"}
    told = {"auth_typ": "aad", "claims": [{"typ": k, "val": v} for k, v in claims.items()]}

    found = principal(
        {"x-ms-client-principal": base64.b64encode(json.dumps(told).encode()).decode()}
    )

    grant = Grant.from_data({"app_id": "a", "domain": "fleet", "roles": ["consumer"]})
    assert found is not None
    assert caller_of(found, [grant]).is_stranger


WHO = Principal(
    id="o", name="n", app="a", groups=frozenset({"g"}), app_roles=frozenset({"Mesh.Data"})
)


@pytest.mark.parametrize(
    "whom", [{"object_id": "o"}, {"app_id": "a"}, {"group": "g"}, {"app_role": "Mesh.Data"}]
)
def test_the_policy_grants_by_object_application_group_or_role(whom):
    grant = Grant.from_data({**whom, "domain": "fleet", "roles": ["consumer"]})

    assert caller_of(WHO, [grant]).holds({Role.CONSUMER}, "fleet")
    assert not caller_of(WHO, [grant]).holds({Role.CONSUMER}, "rivers")
    assert not caller_of(WHO, [grant]).holds({Role.OWNER}, "fleet")
    assert caller_of(Principal(id="x", name="x"), [grant]).is_stranger


def test_the_policy_may_say_who_runs_the_mesh():
    grant = Grant.from_data({"object_id": "o", "roles": ["ops"]})

    assert caller_of(WHO, [grant]).is_ops


@pytest.mark.parametrize(
    "name", ["fleet", "fleet.", ".owner", "fleet.ops", "Fleet.owner", "fleet.Owner", "x.owner", "*"]
)
def test_app_roles_that_are_not_the_meshs_give_nothing(name):
    somebody = Principal(id="o", name="n", app_roles=frozenset({name}))

    assert caller_of(somebody, ()).is_stranger


@pytest.mark.parametrize(
    ("grant", "says"),
    [
        ({"domain": "fleet", "roles": ["owner"]}, "a grant names one of"),
        ({"object_id": "o", "group": "g", "domain": "fleet", "roles": ["owner"]}, "names one of"),
        ({"object_id": "o", "domain": "fleet", "roles": []}, "and roles"),
        ({"object_id": "o", "domain": "fleet", "roles": ["king"]}, "'king' is not a valid Role"),
        ({"object_id": "o", "roles": ["owner"]}, "ops is of no domain"),
        ({"object_id": "o", "domain": "fleet", "roles": ["ops"]}, "ops is of no domain"),
        ({"object_id": "o", "domain": "fleet", "roles": ["ops", "owner"]}, "ops is of no domain"),
        ({"object_id": "o", "domain": "A b", "roles": ["owner"]}, "'A b' cannot name a domain"),
        ({"object_id": "o", "domain": "fleet", "roles": ["owner"], "x": 1}, "names one of"),
    ],
)
def test_a_grant_that_makes_no_sense(grant, says):
    data = json.loads((ROOT / "policy.json").read_text())
    data["access"]["grants"] = [grant]

    with pytest.raises(ValueError, match=re.escape(says)):
        Policy.from_data(data)


def test_what_a_webhooks_query_holds_nobody_else_is_told(api, countries):
    """Keys of Azure Functions stand there."""
    made = api(
        "POST",
        PRODUCT + "/subscriptions",
        {"subscriber": "fleet", "webhook": f"{HOOK}?code=sesame"},
        by="fleet",
    ).json
    entry = countries.land("geography/countries/v1/countries/a.csv", b"code,name\nCH,Switzerland\n")
    countries.deliver()
    asked = (
        f"{PRODUCT}/subscriptions",
        f"{PRODUCT}/subscriptions/{made['id']}",
        f"{PRODUCT}/drops/{entry.drop}",
    )

    for path in asked:
        text = json.dumps(api("GET", path, by="geography").json)
        assert "sesame" not in text
        assert json.dumps(f"{HOOK}?…") in text
    assert made["target"] == f"{HOOK}?code=sesame"
    assert "sesame" in countries.webhooks.requests[-1].url
