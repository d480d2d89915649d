"""`mesh where` and `mesh receipt`: which drop is meant, and what else is told of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from mesh import landing
from mesh.model.delivery import DeliveryAttempt
from mesh.model.names import ProductId

PRODUCT = "geography/countries"
HOOK = "https://fleet.example/hook"


def test_a_drop_is_found_by_its_id_in_any_product(onboarded, good):
    drop = json.loads(onboarded("drop", good, "--to", PRODUCT, "--json").stdout)["drop"]

    for more in ((), ("--product", PRODUCT)):
        found = onboarded("where", drop, *more, "--json")
        assert json.loads(found.stdout)["drop"] == drop


def test_a_file_that_went_astray_is_found(onboarded, world):
    entry = world.land("nowhere/lost.csv", b"a\n1\n")

    by_name = onboarded("where", "lost.csv")
    by_id = onboarded("where", entry.drop)

    assert by_name.stdout == by_id.stdout
    assert "lost.csv  rejected" in by_name.stdout
    assert world.storage.url("landing/nowhere/lost.csv") in by_name.stdout
    assert "nobody has subscribed to it" in by_name.stdout


def test_duplicates_are_counted(onboarded, world):
    dropped = world.drop(f"{PRODUCT}/v1/countries/all.csv", b"code,name\nCH,Switzerland\n")
    entry = landing.receive(world.backbone, dropped)
    assert "more times" not in onboarded("where", entry.drop).stdout

    landing.receive(world.backbone, dropped)
    landing.receive(world.backbone, dropped)

    assert "told of 2 more times" in onboarded("where", entry.drop).stdout


def test_a_superseded_version_was_told_of_by_no_event(onboarded, world):
    name = f"{PRODUCT}/v1/countries/all.csv"
    world.land(name, b"code,name\nCH,Switzerland\n", sequencer="2")
    old = world.land(name, b"code,name\nFR,France\n", sequencer="1")

    shown = onboarded("where", old.drop).stdout

    assert "all.csv  superseded" in shown
    assert "no event told of it" in shown


def test_attempts_that_failed_tell_when_the_next_is_due(onboarded, good, world):
    onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", HOOK)
    world.webhooks.answers.append(
        DeliveryAttempt(outcome="retry", status=500, reason="500 Server Error", duration_s=0.25)
    )
    onboarded("drop", good, "--to", PRODUCT)
    shown = onboarded("where", "countries.csv").stdout
    assert "attempt 1: retry, 500 Server Error (0.250 s); next +" in shown

    world.clock.advance(timedelta(minutes=1))
    again = onboarded("where", "countries.csv")  # the next attempt is made after this answer
    shown = onboarded("where", "countries.csv").stdout

    assert again.exit_code == 0
    assert "+1 min 0 s  attempt 2: delivered, 200 OK" in shown


def test_a_subscriber_not_told_yet(onboarded, good, server):
    onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", HOOK)
    server.delivers = False
    onboarded("drop", good, "--to", PRODUCT)

    assert "not told yet" in onboarded("where", "countries.csv").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("none.csv",), "No decision is on record about a file 'none.csv'."),
        (("a/none.csv", "--product", PRODUCT), "about a file 'none.csv' for geography/countries"),
        ((f"{'0' * 20}-{'0' * 12}",), "No product has a decision on 00000000000000000000-0000"),
        (
            (f"{'0' * 20}-{'0' * 12}", "--product", PRODUCT),
            "geography/countries has no decision on '00000000000000000000-000000000000' yet",
        ),
    ],
)
def test_what_is_not_on_record(onboarded, arguments, says):
    done = onboarded("where", *arguments)

    assert done.exit_code == 1
    assert says in done.stderr


def test_an_unknown_receipt(onboarded):
    done = onboarded("receipt", PRODUCT, "none")

    assert done.exit_code == 1
    assert "geography/countries has no receipt for 'none' yet." in done.stderr


def test_a_receipt_shows_so_many_violations_and_counts_the_rest(onboarded, tmp_path):
    file = tmp_path / "many.csv"
    rows = b"".join(b"%c%c,,\n" % (65 + n // 26, 65 + n % 26) for n in range(50))
    file.write_bytes(b"code,name,area\n" + rows)

    done = onboarded("drop", file, "--to", PRODUCT, "--wait")

    assert "… and 30 violations more" in done.stdout
    drop = done.stdout.split("Drop ")[1].split(",")[0]
    shown = onboarded("receipt", PRODUCT, drop).stdout
    assert "by urn:mesh:geography:countries:countries 1.0.0, object countries" in shown
    assert "50 rows: 0 good, 50 bad, 50 violations" in shown
    assert f"rejects: quarantine/{PRODUCT}/v1/countries/{drop}/1.0.0/many.csv" in shown
    whole = json.loads(onboarded("receipt", PRODUCT, drop, "--json").stdout)
    assert whole["counts"]["violations"] == len(whole["violations"]) == 50
    page = onboarded("receipt", PRODUCT, drop, "--format", "md").stdout
    assert page.startswith("# many.csv: rejected\n")
    both = onboarded("receipt", PRODUCT, drop, "--format", "md", "--json")
    assert both.exit_code == 2
    assert "Ask for --json or --format, not both." in both.stderr


def test_text_of_files_cannot_steer_the_terminal(onboarded, world):
    world.land("nowhere/\x1b[31mred.csv", b"a\n1\n")

    shown = onboarded("where", "\x1b[31mred.csv").stdout

    assert "\x1b" not in shown
    assert "�[31mred.csv  rejected" in shown


def test_a_file_of_a_set_tells_what_the_set_waits_for(run, declared, world, contract_of):
    value = {"members": ["north.csv", "south.csv"], "deadline": {"value": 6, "unit": "h"}}
    sets = {"customProperties": [{"property": "fileSet", "value": value}]}
    done = run("onboard", declared(ProductId.parse(PRODUCT), contract_of(more=sets)))
    assert done.exit_code == 0, done.output
    place = f"{PRODUCT}/v1/countries/rundate=2026-11-22"
    north = world.land(f"{place}/north.csv", b"code,name\nSE,Sweden\n")
    bad = world.land(f"{place}/south.csv", b"code,name\nx,x\n")

    shown = run("where", north.drop).stdout
    assert "set rundate=2026-11-22  open: 1 file accepted" in shown
    assert "waits for south.csv, due " in shown
    assert f"south.csv was rejected, as {bad.drop}" in shown
    assert "no event told of it" in shown

    world.land(f"{place}/south.csv", b"code,name\nNA,Namibia\n")
    shown = run("where", north.drop).stdout
    assert "set rundate=2026-11-22  complete: 2 files accepted" in shown
    assert "mesh.product.updated.v1" in shown


def test_a_barred_subscriber_is_shown_with_the_reason(onboarded, good):
    onboarded("subscribe", "geography/countries", "--as", "fleet", "--pull")
    why = ("--reason", "It was enough.")
    assert onboarded("agreement", "revoke", "geography/countries", "fleet", *why).exit_code == 0
    onboarded("drop", good, "--to", "geography/countries", "--wait")

    shown = onboarded("where", good.name).stdout

    assert "barred: The agreement is revoked. It was enough." in shown
    assert "the broker has put it" not in shown
