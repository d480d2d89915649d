"""`mesh products`, `mesh product`, `mesh events`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from cli import browsing
from mesh.model.names import ProductId

PRODUCT = "geography/countries"
COVERAGE = ProductId(domain="aviation", product="coverage")


def test_products_by_words(onboarded):
    assert PRODUCT in onboarded("products").stdout
    assert PRODUCT in onboarded("products", "COUNTRIES", "things").stdout
    found = json.loads(onboarded("products", "things", "--json").stdout)["products"]
    assert [entry["product"] for entry in found] == [PRODUCT]
    none = onboarded("products", "rivers", "lakes")
    assert (none.exit_code, none.stdout) == (0, "No product mentions 'rivers lakes'.\n")


def test_no_products_yet(run):
    assert run("products").stdout == "There is no product yet.\n"


def test_a_product_in_full(onboarded, good, declared, contract_of):
    onboarded("drop", good, "--to", PRODUCT, "--period", "2026-11")
    inputs = (("countries", "urn:mesh:geography:countries:countries"),)
    document = contract_of(COVERAGE, object_name="coverage")
    files = declared(COVERAGE, document, ports=(("coverage", "1.0.0"),), inputs=inputs)
    assert onboarded("onboard", files).exit_code == 0

    page = onboarded("product", PRODUCT).stdout
    composite = onboarded("product", "aviation/coverage").stdout

    assert "Owner: Geography team, mailto:help@geography.example" in page
    assert f"landing/{PRODUCT}/v1/countries/" in page
    assert "2 rows" in page
    assert "2026-11" in page
    assert "urn:mesh:geography:countries:countries" in composite
    told = json.loads(onboarded("product", PRODUCT, "--json").stdout)
    assert told["snapshots"][0]["period"] == "2026-11"


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"deprecated": True}, "1.0.0 (deprecated) "),
        ({"deprecationSunset": "2027-03-01T00:00:00Z"}, "1.0.0 (deprecated, ends 2027-03-01T00:"),
    ],
)
def test_a_port_that_is_on_its_way_out(run, declared, said, says):
    folder = declared()
    file = folder / "product.odps.json"
    product = json.loads(file.read_text(encoding="utf-8"))
    custom = [{"property": name, "value": value} for name, value in said.items()]
    product["outputPorts"][0]["customProperties"] = custom
    file.write_text(json.dumps(product), encoding="utf-8")
    assert run("onboard", folder).exit_code == 0

    assert says in " ".join(run("product", PRODUCT).stdout.split())


@pytest.mark.parametrize("command", ["product", "events", "subscriptions"])
@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("geography/none", 1, "There is no product geography/none."),
        ("geography", 2, "'geography' is not a product's address. Write it as DOMAIN/PRODUCT."),
        ("geography/no ne", 2, "'no ne' cannot name a product."),
    ],
)
def test_a_product_that_is_none(run, command, address, code, says):
    done = run(command, address)

    assert done.exit_code == code
    assert says in done.stderr


def test_events_after_the_last(onboarded):
    shown = onboarded("events", PRODUCT, "--after", "9")
    assert shown.stdout == f"{PRODUCT} has no event after 9.\n"
    nothing = onboarded("events", PRODUCT, "--after", "9", "--json")
    assert json.loads(nothing.stdout) == {"events": []}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--after", "-1"), "'--after'"),
        (("--after", "x"), "'--after'"),
        (("--limit", "0"), "'--limit'"),
    ],
)
def test_numbers_that_are_none(onboarded, arguments, says):
    done = onboarded("events", PRODUCT, *arguments)

    assert done.exit_code == 2
    assert says in done.stderr


def test_events_are_fetched_page_by_page(onboarded, good, monkeypatch):
    monkeypatch.setattr(browsing, "PAGE", 2)
    onboarded("drop", good, "--to", PRODUCT)

    def sequences(*arguments):
        told = json.loads(onboarded("events", PRODUCT, "--json", *arguments).stdout)
        return [int(event["sequence"]) for event in told["events"]]

    assert sequences() == [1, 2, 3]
    assert sequences("--limit", "2") == [1, 2]
    assert sequences("--limit", "3", "--after", "1") == [2, 3]


def test_events_are_followed_as_they_come(onboarded, good, server, monkeypatch):
    monkeypatch.setattr(browsing, "WAIT_S", 0)
    server.asked_before_landing = 5
    onboarded("drop", good, "--to", PRODUCT)

    followed = onboarded("events", PRODUCT, "--follow", "--limit", "3", "--json")

    lines = [json.loads(line) for line in followed.stdout.splitlines()]
    assert [int(event["sequence"]) for event in lines] == [1, 2, 3]
    assert lines[2]["type"] == "mesh.product.updated.v1"


@pytest.mark.usefixtures("onboarded")
def test_following_ends_with_ctrl_c(settings):
    environ = {**os.environ, **{name: value or "" for name, value in settings.items()}}
    command = [sys.executable, "-m", "cli.main", "events", PRODUCT, "--follow", "--json"]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        first = [json.loads(following.stdout.readline())["sequence"] for _ in range(2)]
        following.send_signal(signal.SIGINT)
        _, errors = following.communicate(timeout=30)

    assert [int(sequence) for sequence in first] == [1, 2]
    assert (following.returncode, errors) == (130, "")
