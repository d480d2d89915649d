"""Dead letters on the command line."""

from __future__ import annotations

import json

import pytest

from tests.unit.test_dead_letters import letter


def test_nothing_was_given_up(run):
    assert "No messages were given up." in run("dlq", "list").stdout


def test_a_message_from_its_list_to_its_end(run, world):
    world.dead_letters.letters += [letter("landed-files", 7), letter("onboarding", 8, b"?")]

    listed = run("dlq", "list").stdout
    assert "landed-files" in listed
    assert "m8" in listed
    only = json.loads(run("dlq", "list", "--source", "onboarding", "--json").stdout)
    assert [one["number"] for one in only["dead_letters"]] == [8]
    shown = run("dlq", "show", "onboarding", "8").stdout
    assert "Given up for MaxDeliveryCountExceeded: It was tried 10 times." in " ".join(
        shown.split()
    )
    assert (
        json.loads(run("dlq", "show", "onboarding", "8", "--json").stdout)
        == only["dead_letters"][0]
    )
    done = run("dlq", "resubmit", "landed-files", "7")
    assert "Message 7 of landed-files is worked on again." in done.stdout
    done = run("dlq", "discard", "onboarding", "8", "--reason", "Not ours.")
    assert "Message 8 of onboarding is discarded." in done.stdout
    assert world.dead_letters.letters == []
    again = run("dlq", "resubmit", "landed-files", "7")
    assert "Message 7 of landed-files was resubmitted at 20" in again.stdout
    assert "already, and is worked on again." in " ".join(again.stdout.split())
    refused = run("dlq", "resubmit", "onboarding", "8")
    assert refused.exit_code == 1
    assert "Message 8 of onboarding was discarded at 20" in refused.stderr


@pytest.mark.parametrize("action", [("show",), ("resubmit",), ("discard", "--reason", "x")])
def test_there_is_no_such_message(run, action):
    name, *options = action
    done = run("dlq", name, "onboarding", "8", *options)

    assert done.exit_code == 1
    assert "There is no message 8 among the" in done.stderr


def test_answers_as_json(run, world):
    world.dead_letters.letters += [letter("landed-files", 7), letter("onboarding", 8)]

    again = run("dlq", "resubmit", "landed-files", "7", "--json")
    away = run("dlq", "discard", "onboarding", "8", "--reason", "x", "--json")

    assert [json.loads(done.stdout)["number"] for done in (again, away)] == [7, 8]
