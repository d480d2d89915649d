"""Holding a webhook, and telling it again, on the command line."""

from __future__ import annotations

import json

import pytest

PRODUCT = "geography/countries"
HOOK = "https://fleet.example/hook"


@pytest.fixture
def identity(onboarded):
    done = onboarded("subscribe", PRODUCT, "--as", "fleet", "--webhook", HOOK, "--json")
    return json.loads(done.stdout)["id"]


def words(done):
    return " ".join(done.stdout.split())


def test_a_webhook_is_suspended_and_resumed(onboarded, identity):
    done = onboarded("suspend", PRODUCT, identity, "--reason", "It moves.")
    assert "is suspended: It moves." in words(done)
    assert f"mesh resume {PRODUCT} {identity} --held replay" in words(done)
    found = json.loads(onboarded("subscriptions", PRODUCT, "--json").stdout)["subscriptions"]
    assert [(one["state"], one["reason"]) for one in found] == [("suspended", "It moves.")]

    done = onboarded("resume", PRODUCT, identity)
    assert f"Subscription {identity} to {PRODUCT} is told again. 0 notifications" in words(done)
    done = onboarded("resume", PRODUCT, identity, "--held", "last", "--json")
    assert done.exit_code == 1
    assert "not-suspended" in done.stderr

    again = onboarded("suspend", PRODUCT, identity, "--reason", "x", "--json")
    assert json.loads(again.stdout)["state"] == "suspended"
    again = onboarded("resume", PRODUCT, identity, "--held", "skip", "--json")
    assert json.loads(again.stdout)["notifications"] == 0


def test_a_webhook_is_told_again(onboarded, identity, monkeypatch):
    assert "2 notifications are on their way to subscription" in words(
        onboarded("replay", PRODUCT, identity, "--last", "5")
    )
    done = onboarded("replay", PRODUCT, identity, "--since", "2000-01-01T00:00:00Z", "--json")
    assert json.loads(done.stdout) == {"notifications": 2, "next_sequence": None}
    monkeypatch.setattr("mesh.replays.MOST_REPLAYED", 1)

    done = onboarded("replay", PRODUCT, identity, "--from", "1")

    assert f"There is more: mesh replay {PRODUCT} {identity} --from 2" in words(done)


@pytest.mark.parametrize("ways", [(), ("--last", "1", "--from", "1")])
def test_a_replay_begins_in_one_place(onboarded, identity, ways):
    done = onboarded("replay", PRODUCT, identity, *ways)

    assert done.exit_code == 2
    assert "Say from where, in one way: --from SEQUENCE, --since TIME" in done.stderr
