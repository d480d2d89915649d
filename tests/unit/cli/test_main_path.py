"""The commands a producer and a consumer type on the way from a declaration to a notification."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from standardwebhooks import Webhook

from mesh.model.names import ProductId

PRODUCT = "geography/countries"


def document(result):
    """The one JSON document on standard output."""
    [line] = result.stdout.splitlines()
    return json.loads(line)


def _summary(world):
    """What the mesh says of the newest file."""
    return world.backbone.registry.entries(ProductId.parse(PRODUCT), limit=1)[0].summary


def test_onboard_follows_the_steps_to_the_end(run, declared, server):
    server.steps_at_once = 1

    done = run("onboard", declared())

    assert done.exit_code == 0, done.output
    steps = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✓")]
    assert steps == ["received", "checked", "approved", "provisioned", "registered"]
    assert f"{PRODUCT} is in the mesh." in done.stdout


def test_onboard_answers_json(run, declared):
    done = run("onboard", declared(), "--json", "--by", "pipeline 7")

    saga = document(done)
    assert (saga["status"], saga["product"], saga["requested_by"]) == (
        "registered",
        PRODUCT,
        "pipeline 7",
    )
    assert done.stderr == ""


def test_onboard_again_changes_nothing(onboarded, declared, world):
    before = world.events()

    again = onboarded("onboard", declared())

    assert again.exit_code == 0
    assert world.events() == before


def test_a_dropped_file_is_accepted(onboarded, good, world):
    done = onboarded("drop", good, "--to", PRODUCT, "--wait")

    assert done.exit_code == 0, done.output
    assert "countries.csv  accepted" in done.stdout
    assert _summary(world) in done.stdout
    [snapshot] = world.backbone.registry.snapshots(ProductId.parse(PRODUCT))
    assert world.storage.blobs[snapshot.location].data == good.read_bytes()


def test_a_rejected_file_shows_its_first_violations_and_exits_with_1(onboarded, bad):
    done = onboarded("drop", bad, "--to", PRODUCT, "--wait")

    assert done.exit_code == 1
    assert "bad.csv  rejected" in done.stdout
    table = [line.split() for line in done.stdout.splitlines()]
    assert ["2", "3", "code", "pattern"] in [row[:4] for row in table]
    assert ["3", "4", "name", "required"] in [row[:4] for row in table]


def test_drop_without_wait_tells_the_id_of_the_drop(onboarded, good):
    told = document(onboarded("drop", good, "--to", PRODUCT, "--json", "--period", "2026-10"))

    assert told["location"] == f"landing/{PRODUCT}/v1/countries/rundate=2026-10/countries.csv"
    found = document(onboarded("where", told["drop"], "--json"))
    assert (found["drop"], found["etag"]) == (told["drop"], told["etag"])
    assert found["url"] != told["url"], "one is percent-encoded; the id does not depend on that"


def test_drop_waits_until_there_is_a_verdict(onboarded, good, server):
    server.asked_before_landing = 3

    done = onboarded("drop", good, "--to", PRODUCT, "--wait", "--json")

    verdict = document(done)
    assert verdict["verdict"] == "accepted"
    assert verdict["receipt_content"]["counts"]["rows"] == 2
    asked = [path for _, path in server.requests if path.endswith("/drops")]
    assert len(asked) > 1


def test_a_big_file_goes_up_in_blocks(onboarded, tmp_path, world):
    file = tmp_path / "big.csv"
    rows = b"".join(b"%c%c,%s,1\n" % (65 + n // 26, 65 + n % 26, b"x" * 14_000) for n in range(676))
    file.write_bytes(b"code,name,area\n" + rows)
    assert file.stat().st_size > 9_000_000

    done = onboarded("drop", file, "--to", PRODUCT, "--wait")

    assert done.exit_code == 0, done.output
    location = f"landing/{PRODUCT}/v1/countries/big.csv"
    assert world.storage.blobs[location].data == file.read_bytes()


def test_where_tells_the_whole_journey_to_the_attempts(onboarded, good, world):
    url = "https://fleet.example/hook"
    onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", url)
    onboarded("subscribe", PRODUCT, "--as", "planning", "--pull")
    onboarded("drop", good, "--to", PRODUCT)

    shown = onboarded("where", "countries.csv").stdout

    assert "landed     landing/geography/countries/v1/countries, 48 B" in shown
    assert f"decided    {_summary(world)}" in shown
    assert "by contract countries:1.0.0: 2 rows, 2 accepted, 0 rejected" in shown
    assert "mesh.product.updated.v1  sequence 3" in shown
    assert f"fleet by push: {url}" in shown
    assert "attempt 1: delivered, 200 OK (0.001 s)" in shown
    assert "planning by pull: planning-" in shown
    assert "the broker has put it on their topic subscription" in shown


def test_where_tells_who_has_acknowledged_and_who_has_ended_its_subscription(onboarded, good):
    url = "https://fleet.example/hook"
    told = document(onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", url, "--json"))
    pulled = document(onboarded("subscribe", PRODUCT, "--as", "planning", "--pull", "--json"))
    onboarded("drop", good, "--to", PRODUCT)
    onboarded("unsubscribe", PRODUCT, told["id"])
    onboarded("ack", PRODUCT, pulled["id"], "3")

    shown = onboarded("where", "countries.csv").stdout

    assert f"fleet by push: {url}" not in shown
    assert "fleet by push\n" in shown
    assert "attempt 1: delivered, 200 OK (0.001 s)" in shown
    assert "ended: The subscription was ended since." in shown
    assert "acknowledged: The subscriber says that it has dealt with it." in shown


def test_where_shows_the_newest_version_and_names_the_earlier(onboarded, good, bad):
    first = document(onboarded("drop", good, "--to", PRODUCT, "--json"))
    good.write_bytes(bad.read_bytes())
    onboarded("drop", good, "--to", PRODUCT)

    shown = onboarded("where", "some/folder/countries.csv", "--product", PRODUCT).stdout

    assert shown.splitlines()[0].startswith("countries.csv  rejected")
    assert f"Earlier: {first['drop']}  accepted" in shown


def test_subscribe_tells_the_secret_that_verifies_notifications(onboarded, good, world):
    url = "https://fleet.example/hook"
    made = document(
        onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", url, "--json",
                  "--type", "mesh.product.updated.v1", "--object", "countries")
    )  # fmt: skip
    onboarded("drop", good, "--to", PRODUCT)

    [told] = world.webhooks.requests
    at = datetime.fromtimestamp(int(told.headers["webhook-timestamp"]), UTC)
    signed = Webhook(made["secret"]).sign(told.headers["webhook-id"], at, told.body.decode())
    assert told.headers["webhook-signature"] == signed
    assert json.loads(told.body)["type"] == "mesh.product.updated.v1"


def test_subscribe_by_pull_gives_a_snippet_that_is_python(onboarded, world):
    done = onboarded("subscribe", PRODUCT, "--as", "planning", "--pull")

    [name] = world.pull.existing
    snippet = "\n".join(
        line.removeprefix("    ") for line in done.stdout.splitlines() if line.startswith("    ")
    )
    compile(snippet, "snippet", "exec")
    assert f'get_subscription_receiver("product-events", "{name}")' in snippet


def test_events_in_their_order(onboarded, good):
    onboarded("drop", good, "--to", PRODUCT)

    told = document(onboarded("events", PRODUCT, "--json"))["events"]
    later = document(onboarded("events", PRODUCT, "--after", "2", "--json"))["events"]
    shown = onboarded("events", PRODUCT).stdout.splitlines()

    types = ["mesh.contract.published.v1", "mesh.product.onboarded.v1", "mesh.product.updated.v1"]
    assert [event["type"] for event in told] == types
    assert later == told[2:]
    assert [line.split()[2] for line in shown] == types
