"""Subscriptions on the command line."""

from __future__ import annotations

import json

import pytest

PRODUCT = "geography/countries"
HOOK = "https://fleet.example/hook"


@pytest.fixture
def made(onboarded):
    """A new webhook subscription."""
    done = onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", HOOK, "--json")
    return json.loads(done.stdout)


def test_the_secret_is_shown_once(onboarded):
    wish = ("subscribe", PRODUCT, "--as", "fleet", "--webhook", HOOK)

    first = onboarded(*wish)
    again = onboarded(*wish)

    assert "fleet is told of all events of geography/countries." in first.stdout
    assert "Secret: whsec_" in first.stdout
    assert "It is shown this once." in first.stdout
    assert "whsec_" not in again.stdout
    identity = first.stdout.split("Subscription ")[1].split(",")[0]
    assert f"A new one: mesh rotate-secret {PRODUCT} {identity}" in again.stdout


def test_a_filter_is_said_in_words(onboarded):
    done = onboarded(
        "subscribe", PRODUCT, "--as", "fleet", "--pull",
        "--type", "mesh.product.updated.v1", "--type", "mesh.file.quarantined.v1",
        "--type", "mesh.product.updated.v1", "--object", "countries",
    )  # fmt: skip

    assert (
        "fleet is told of events whose (type is mesh.file.quarantined.v1 or "
        "type is mesh.product.updated.v1) and data.object is countries of geography/countries."
        in " ".join(done.stdout.split())
    )


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ('{"prefix": {"subject": "v1/"}}', "subject starts with v1/"),
        ('{"not": {"suffix": {"subject": "x"}}}', "not (subject ends with x)"),
        (
            '{"all": [{"exact": {"subject": "a"}}, {"exact": {"type": "b"}}]}',
            "(subject is a and type is b)",
        ),
    ],
)
def test_a_filter_of_cloudevents_is_said_in_words(onboarded, wish, says):
    done = onboarded("subscribe", PRODUCT, "--as", "fleet", "--pull", "--filter", wish)

    assert f"told of events whose {says} of" in " ".join(done.stdout.split())


def test_a_filter_that_is_no_json(onboarded):
    done = onboarded("subscribe", PRODUCT, "--as", "fleet", "--pull", "--filter", "{type}")

    assert done.exit_code == 2
    assert "--filter '{type}' is no JSON:" in done.stderr


@pytest.mark.parametrize("ways", [(), ("--pull", "--webhook", HOOK)])
def test_neither_way_or_both(onboarded, ways):
    done = onboarded("subscribe", PRODUCT, "--as", "fleet", *ways)

    assert done.exit_code == 2
    assert (
        "Choose one way to be told: --webhook URL for push, --pull, or into what is yours"
        in done.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("geography/none", "--as", "fleet", "--pull"), "There is no product geography/none."),
        ((PRODUCT, "--as", "Fleet", "--pull"), "'Fleet' cannot name a domain."),
        ((PRODUCT, "--as", "fleet", "--pull", "--type", "x"), "Unknown event type 'x'."),
        ((PRODUCT, "--as", "fleet", "--pull", "--object", "x"), "has no object 'x'; it has count"),
        (
            (PRODUCT, "--as", "fleet", "--webhook", "https://unwilling.example/"),
            "does not want our notifications",
        ),
    ],
)
def test_a_wish_that_cannot_be_granted(onboarded, world, arguments, says):
    world.webhooks.unwilling.add("https://unwilling.example/")

    done = onboarded("subscribe", *arguments)

    assert done.exit_code == 1
    assert says in done.stderr


def test_subscriptions_are_listed_until_they_end(onboarded, made):
    listed = onboarded("subscriptions", PRODUCT).stdout
    told = json.loads(onboarded("subscriptions", PRODUCT, "--json").stdout)

    assert all(part in listed for part in (made["id"], "fleet", "push", HOOK, "all events"))
    assert [wants["id"] for wants in told["subscriptions"]] == [made["id"]]

    ended = onboarded("unsubscribe", PRODUCT, made["id"])
    assert ended.stdout == f"Subscription {made['id']} to {PRODUCT} has ended.\n"
    assert onboarded("subscriptions", PRODUCT).stdout == f"Nobody has subscribed to {PRODUCT}.\n"


def test_ending_a_subscription_answers_json(onboarded, made):
    ended = onboarded("unsubscribe", PRODUCT, made["id"], "--json")

    assert json.loads(ended.stdout) == {"id": made["id"], "product": PRODUCT, "state": "ended"}


def test_a_secret_is_rotated(onboarded, made):
    shown = onboarded("rotate-secret", PRODUCT, made["id"])
    told = json.loads(onboarded("rotate-secret", PRODUCT, made["id"], "--json").stdout)

    assert "Secret: whsec_" in shown.stdout
    assert "For 24 hours, notifications are signed with the old secret too." in shown.stdout
    assert made["secret"] not in {told["secret"], shown.stdout}


def test_a_pull_subscription_has_no_secret(onboarded):
    wish = onboarded("subscribe", PRODUCT, "--as", "fleet", "--pull", "--json")

    done = onboarded("rotate-secret", PRODUCT, json.loads(wish.stdout)["id"])

    assert done.exit_code == 1
    assert "only webhooks have a secret" in done.stderr


@pytest.mark.parametrize("command", ["unsubscribe", "rotate-secret"])
def test_an_unknown_subscription(onboarded, command):
    done = onboarded(command, PRODUCT, "none")

    assert done.exit_code == 1
    assert "There is no subscription 'none' to geography/countries." in done.stderr


@pytest.mark.parametrize(
    ("option", "target", "channel"),
    [
        (
            "--event-grid",
            "https://fleet.westeurope-1.eventgrid.azure.net/api/events",
            "event-grid",
        ),
        ("--service-bus", "fleet/events", "service-bus"),
        ("--inbox", "https://fleet.blob.core.windows.net/inbox", "inbox"),
    ],
)
def test_what_is_ones_own_may_be_told(onboarded, world, option, target, channel):
    wish = ("subscribe", PRODUCT, "--as", "fleet", option, target)
    asked = onboarded(*wish)
    done = onboarded(*wish, "--token", world.token())
    again = json.loads(onboarded(*wish, "--json").stdout)

    assert asked.exit_code == 1
    assert "mesh subscribe … --token TOKEN" in " ".join(asked.stderr.split())
    assert f", by {channel}: " in done.stdout
    assert "A test event has been delivered there" in done.stdout
    assert (again["channel"], again["secret"]) == (channel, None)


def test_an_inbox_with_copies(onboarded, world):
    url = "https://fleet.blob.core.windows.net/inbox"
    wish = ("subscribe", PRODUCT, "--as", "fleet", "--inbox", url, "--copies", "--json")
    onboarded(*wish)

    assert json.loads(onboarded(*wish, "--token", world.token()).stdout)["copies"] is True


def test_a_public_key_instead_of_a_secret(onboarded):
    done = onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", HOOK, "--ed25519")

    assert "Public key: whpk_" in done.stdout
