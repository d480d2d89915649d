"""`schemas/openapi.json` is a valid description, of just the API there is."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cli.answers import access, drops, onboarding, products, subscriptions
from mesh import feed
from mesh.backbone import replace_backbone
from mesh.model.entitlement import RULES
from mesh.model.events import EVENT_TYPES
from mesh.schemas import load, openapi
from tests.thorough import examples

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    (path, method)
    for path, item in openapi()["paths"].items()
    for method in item
    if method != "parameters"
]


def test_it_is_valid_openapi():
    OpenAPIV31SpecValidator(openapi()).validate()


def test_it_describes_each_route_and_no_other(functions_over_http):
    described = {
        (path, method.upper(), openapi()["paths"][path][method]["operationId"])
        for path, method in OPERATIONS
    }
    real = {
        (f"/{function.route}", method, function.name)
        for function in functions_over_http.functions
        for method in function.methods
    }
    assert described == real


def test_it_asks_for_a_token_where_there_is_a_rule():
    for path, method in OPERATIONS:
        operation = openapi()["paths"][path][method]
        said = operation.get("security", openapi()["security"]) != []
        assert said == (operation["operationId"] in RULES), path
        assert ({"401", "403"} <= set(operation["responses"])) == said, path


def test_it_declares_the_parameters_of_each_path():
    for path, method in OPERATIONS:
        item = openapi()["paths"][path]
        named = [*item.get("parameters", ()), *item[method].get("parameters", ())]
        found = [openapi()["components"]["parameters"][ref["$ref"].split("/")[-1]] for ref in named]
        in_path = [parameter["name"] for parameter in found if parameter["in"] == "path"]
        assert sorted(in_path) == sorted(re.findall(r"\{(\w+)\}", path)), path


def test_each_component_is_used():
    used = set(references(openapi()))
    for kind in ("schemas", "parameters", "responses"):
        for name in openapi()["components"][kind]:
            assert f"#/components/{kind}/{name}" in used


def test_the_schemas_of_files_are_put_in():
    schemas = openapi()["components"]["schemas"]

    assert schemas["SubscriptionRequest"]["required"] == ["subscriber"]
    assert set(EVENT_TYPES) <= set(schemas)
    assert "OnboardingRequest" not in load("openapi")["components"]["schemas"]
    Draft202012Validator(
        {"$ref": "#/components/schemas/Receipt/$defs/count", "components": openapi()["components"]}
    ).validate(3)


@pytest.mark.parametrize("status", [200, 418])
def test_an_answer_that_is_not_described_is_noticed(api, functions_over_http, status):
    [health] = [found for found in functions_over_http.functions if found.name == "health"]
    answer = api("GET", "/health")
    wrong = type(answer)(status=status, json={"status": "bad"}, headers=answer.headers)

    with pytest.raises((ValidationError, KeyError)):
        api.check(health, "GET", wrong)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=name)
        for module in (access, drops, onboarding, products, subscriptions)
        for name, kind in vars(module).items()
        if typing.is_typeddict(kind) and kind.__module__ == module.__name__
    ],
)
def test_the_command_reads_answers_as_they_are_described(kind):
    """Names, kinds and nullability of each member that `cli.answers` types."""
    schema = openapi()["components"]["schemas"][kind.__name__]

    hints = typing.get_type_hints(kind)
    assert set(hints) == set(schema["properties"])
    for member, hint in hints.items():
        assert shape_of(hint) == described_shape(schema["properties"][member]), member


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_asked_the_answer_is_as_described(
    path, method, countries, contract_of, declare, functions_over_http, token, monkeypatch
):
    known = fill(countries, contract_of, declare)
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", functions_over_http)
    operation = schema[path][method.upper()]

    @settings(
        max_examples=examples(25),
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: Any) -> None:
        case = data.draw(operation.as_strategy())
        for name in set(case.path_parameters or ()) & set(known):
            if data.draw(st.integers(0, 3), label=f"a {name} that exists"):
                case.path_parameters[name] = known[name]
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

    monkeypatch.setattr(feed, "_pauses", lambda _: iter(()))  # nobody waits for what may be asked
    with replace_backbone(countries.backbone):
        ask()


def fill(world: Any, contract_of: Any, declare: Any) -> dict[str, str]:
    """A mesh with something of everything; ids that exist, by the name of the path parameter."""
    from mesh import agreements, subscriptions, templates
    from mesh.model.names import ProductId
    from mesh.model.subscription import Filter, webhook

    product = ProductId(domain="geography", product="countries")
    made = subscriptions.subscribe(
        world.backbone,
        product,
        subscriber="fleet",
        route=webhook("https://fleet.example/hook"),
        wanted=Filter(),
    )
    place = "geography/countries/v1/countries"
    entry = world.land(f"{place}/all.csv", b"code,name\nCH,Switzerland\nxx,\n")
    world.deliver()
    agreements.request(world.backbone, product, "rivers", purpose="To try.", by="test")
    told = declare(product)
    ending = json.loads(told["product.odps.json"])
    ending["outputPorts"][0]["customProperties"] = [{"property": "deprecated", "value": True}]
    world.onboard({**told, "product.odps.json": json.dumps(ending)})
    secret = contract_of(version="2.0.0", classification="restricted")
    both = (("countries", "1.0.0"), ("countries", "2.0.0"))
    waiting = world.onboard(declare(product, contract_of(), secret, ports=both))
    assert waiting.status == "waiting"
    node = {"name": "node", "version": "1.0.0", "kind": "bicep", "description": "A node."}
    asked = {**node, "source": "infra", "satisfies": [], "parameters": {"x": {"description": ""}}}
    templates.register(world.backbone, asked, registered_by="test")
    return {
        "domain": "geography",
        "product": "countries",
        "onboarding": waiting.id,
        "drop": entry.drop,
        "port": "countries",
        "version": "1.0.0",
        "object": "countries",
        "major": "1",
        "consumer": "rivers",
        "sequence": str(world.backbone.registry.head(product).sequence),
        "log": "geography",
        "template": "node",
        "subscription": made.subscription.id,
    }


def references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def shape_of(hint: Any) -> object:
    """A type of Python as the JSON that it stands for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return [shape_of(arguments[0])]
    if origin is dict:
        return "object"
    if origin is typing.Literal:
        return set(arguments)
    if arguments:
        return {shape_of(argument) for argument in arguments}
    if typing.is_typeddict(hint):
        return hint.__name__
    names = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    return names[hint]


def described_shape(schema: Mapping[str, Any]) -> object:
    """The same of a schema."""
    if "$ref" in schema:
        return schema["$ref"].split("/")[-1]
    if "enum" in schema:
        return set(schema["enum"])
    if "anyOf" in schema:
        return {described_shape(one) for one in schema["anyOf"]}
    if schema["type"] == "array":
        return [described_shape(schema["items"])]
    return set(schema["type"]) if isinstance(schema["type"], list) else schema["type"]
