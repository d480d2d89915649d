"""`mesh template`, and the template that `mesh onboard` names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesh import approvals
from mesh.model.names import ProductId
from tests.unit.conftest import OPS

NODE = Path(__file__).parents[3] / "infra" / "domain-node.template.yaml"
COUNTRIES = ProductId(domain="geography", product="countries")


def test_from_registration_to_the_page_of_the_product(run, declared):
    assert "No template is registered." in run("template", "list").stdout
    done = run("template", "register", NODE)
    assert done.stdout == "domain-node@1.0.0 is registered; it satisfies standard.\n"

    listed = run("template", "list").stdout
    assert all(word in listed for word in ("domain-node@1.0.0", "protected", "customer_key"))
    shown = run("template", "show", "domain-node@1.0.0").stdout
    assert "Source: infra/modules/node.bicep" in shown
    assert "appPrincipalId" in shown
    told = json.loads(run("template", "list", "--json").stdout)
    assert told["templates"] == [
        json.loads(run("template", "show", "domain-node@1.0.0", "--json").stdout)
    ]
    assert told["templates"] == [json.loads(run("template", "register", NODE, "--json").stdout)]

    done = run("onboard", declared(), "--template", "domain-node@1.0.0")
    assert "template domain-node@1.0.0" in done.stdout
    page = run("product", "geography/countries").stdout
    assert "Template: domain-node@1.0.0\n" in page


def test_a_template_that_satisfies_too_little_is_refused_or_waived(
    run, declared, contract_of, world
):
    run("template", "register", NODE)
    folder = declared(COUNTRIES, contract_of(classification="confidential"))

    refused = run("onboard", folder, "--template", "domain-node@1.0.0")
    assert refused.exit_code == 1
    assert "template.profile" in refused.stdout

    call = (
        "onboard",
        folder,
        "--template",
        "domain-node@1.0.0",
        "--waiver",
        "Keys come in spring.",
    )
    assert "waits for an approval" in run(*call, "--by", "Bob").stdout
    saga = json.loads(run(*call, "--by", "Bob", "--json").stdout)
    own = run("approve", saga["id"], "--reason", "Fine.")
    assert own.exit_code == 1
    assert "asked for this waiver, and cannot grant it too" in own.stderr
    approvals.approve(world.backbone, saga["id"], approver="Ada", reason="Fine.", caller=OPS)
    run("products")  # meanwhile the saga goes on
    page = " ".join(run("product", "geography/countries").stdout.split())
    assert "Waived: protected, for Bob: Keys come in spring. Granted by Ops until 2" in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("template", "show", "node"), "'node' names no template. Write it as NAME@VERSION."),
        (("onboard", ".", "--waiver", "Why not."), "--waiver is for a template: name it"),
    ],
)
def test_a_wrong_call(run, declared, monkeypatch, arguments, says):
    monkeypatch.chdir(declared())
    done = run(*arguments)

    assert done.exit_code == 2
    assert says in done.stderr


def test_a_file_that_describes_no_template(run, tmp_path):
    twice = tmp_path / "a.yaml"
    twice.write_text("name: a\nname: b\n", encoding="utf-8")
    done = run("template", "register", twice, "--json")
    assert done.exit_code == 2
    assert json.loads(done.stderr)["type"].endswith("no-template")

    less = tmp_path / "b.json"
    less.write_text('{"name": "node"}', encoding="utf-8")
    done = run("template", "register", less)
    assert done.exit_code == 1
    assert "'version' is a required property" in done.stderr
