"""What was given up is seen, worked on again, or put away."""

from __future__ import annotations

import itertools
import json
import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest

from mesh import dead_letters, notifications, subscriptions
from mesh.errors import NotFound, Rejected, Unavailable
from mesh.model.dead_letter import DeadLetter
from mesh.model.names import ProductId
from mesh.model.subscription import Filter, webhook
from tests.chaos.effects import Killed, Worker, with_effects, working

COUNTRIES = ProductId(domain="geography", product="countries")
PLACE = "geography/countries/v1/countries"
TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def letter(source, number, body=b'{"a": 1}'):
    return DeadLetter(
        source=source,
        number=number,
        message_id=f"m{number}",
        enqueued_at=None,
        reason="MaxDeliveryCountExceeded",
        description="It was tried 10 times.",
        deliveries=10,
        body=body,
        traceparent=TRACE,
    )


def test_those_of_the_mesh_s_own_queues_are_found(world):
    letters = [letter(source, at) for at, source in enumerate(dead_letters.SOURCES)]
    other = letter("product-events/fleet-1", 9)
    world.dead_letters.letters += [other, *letters]

    assert dead_letters.found(world.backbone, source=None, limit=10) == letters
    assert dead_letters.found(world.backbone, source=None, limit=2) == letters[:2]
    assert dead_letters.found(world.backbone, source=other.source, limit=10) == [other]
    with pytest.raises(NotFound, match=r"Nothing gives up messages at 'others'\. The sources are"):
        dead_letters.found(world.backbone, source="others", limit=10)


def test_a_message_is_worked_on_again_under_another_id(world):
    world.dead_letters.letters.append(letter("notifications", 5))

    done = dead_letters.resubmit(world.backbone, "notifications", 5)

    assert done.letter == letter("notifications", 5)
    assert (done.settlement, done.repeated) == ("resubmitted", False)
    assert world.dead_letters.letters == []
    [message] = world.queues.waiting("notifications")
    assert (message.id, message.body, message.traceparent) == ("m5-again-5", {"a": 1}, TRACE)


def test_an_event_is_fanned_out_again_and_not_published(countries):
    made = subscriptions.subscribe(
        countries.backbone,
        COUNTRIES,
        subscriber="fleet",
        route=webhook("https://fleet.example/hook"),
        wanted=Filter(),
    )
    countries.land(f"{PLACE}/all.csv", b"code,name,area\nCH,Switzerland,41285\n")
    event = countries.topic.published[-1]
    published = len(countries.topic.published)
    countries.dead_letters.letters.append(
        letter("product-events/fan-out", 3, json.dumps(event).encode())
    )

    dead_letters.resubmit(countries.backbone, "product-events/fan-out", 3)

    [message] = countries.queues.waiting(notifications.QUEUE)
    assert message.body["subscription"] == made.subscription.id
    assert len(countries.topic.published) == published


@pytest.mark.parametrize(
    ("source", "body", "says"),
    [
        ("onboarding", b"\xff", "Message 1 of onboarding is no JSON object"),
        ("onboarding", b"[]", "Message 1 of onboarding is no JSON object"),
        ("product-events/fan-out", b"{}", "Message 1 of product-events/fan-out is no event"),
        ("product-events/fleet-1", b"{}", "are a pull subscriber's, who reads its dead letters"),
    ],
)
def test_what_cannot_be_worked_on_stays(world, source, body, says):
    world.dead_letters.letters.append(letter(source, 1, body))

    with pytest.raises(Rejected, match=says) as refused:
        dead_letters.resubmit(world.backbone, source, 1)

    assert refused.value.problem == "not-resubmittable"
    assert len(world.dead_letters.letters) == 1


def test_a_message_is_put_away_with_a_reason(world, caplog):
    world.dead_letters.letters.append(letter("onboarding", 1, b"?"))

    with caplog.at_level(logging.WARNING):
        dead_letters.discard(world.backbone, "onboarding", 1, reason="Not one of ours.")

    assert world.dead_letters.letters == []
    assert "discarded message 1 (m1) of onboarding" in caplog.text
    assert "MaxDeliveryCountExceeded: Not one of ours." in caplog.text
    with pytest.raises(NotFound, match="There is no message 2 among the dead letters of onboard"):
        dead_letters.discard(world.backbone, "onboarding", 2, reason="x")


@pytest.mark.parametrize("command", ["resubmit", "discard"])
def test_a_command_that_is_repeated_ends_the_same_and_says_so(world, command):
    settle, other = commands(world.backbone, command)
    world.dead_letters.letters.append(letter("notifications", 5))

    first, second = settle(5), settle(5)

    assert (first.repeated, second.repeated) == (False, True)
    assert second.letter == replace(first.letter, body=b"")
    assert (second.settlement, second.at) == (first.settlement, first.at)
    assert len(world.queues.waiting("notifications")) == (command == "resubmit")
    with pytest.raises(Rejected, match=rf"Message 5 of notifications was {first.settlement} at "):
        other(5)
    with pytest.raises(NotFound, match="There is no message 6 among the dead letters of notific"):
        settle(6)


def test_a_queue_that_was_made_anew_counts_anew(world):
    """What was decided about a message is not taken for what is decided about another."""
    world.dead_letters.letters.append(letter("notifications", 5))
    dead_letters.discard(world.backbone, "notifications", 5, reason="Not ours.")
    other = replace(letter("notifications", 5), message_id="another")
    world.dead_letters.letters.append(other)

    done = dead_letters.resubmit(world.backbone, "notifications", 5)

    assert (done.letter, done.repeated) == (other, False)
    assert other.is_same(replace(other, deliveries=11)), "looking at it counts"
    assert len(world.queues.waiting("notifications")) == 1


@pytest.mark.parametrize("command", ["resubmit", "discard"])
@pytest.mark.parametrize("what", ["kill", "fail"])
def test_whatever_happens_at_any_effect_the_same_command_again_ends_the_same(world, what, command):
    """Between sending it, keeping that, and taking it away."""
    whole = with_effects(world.backbone)
    passed = 0
    for number in itertools.count(1):
        world.dead_letters.letters.append(letter("notifications", number))
        settle, _ = commands(whole, command)
        worker = Worker(fate=lambda at, _, number=number: what if at == number else "live")
        with suppress(Killed, Unavailable), working(worker):
            settle(number)
            passed = len(worker.passed)
            break
        done = settle(number)
        assert done.letter.number == number
        assert done.settlement.startswith(command)
        assert world.dead_letters.letters == []

    assert passed >= 6
    sent = {message.id for message in world.queues.waiting("notifications")}
    assert len(sent) == (number if command == "resubmit" else 0)


def commands(backbone, command):
    """The command and the other one."""
    both = {
        "resubmit": partial(dead_letters.resubmit, backbone, "notifications"),
        "discard": partial(dead_letters.discard, backbone, "notifications", reason="Not ours."),
    }
    return both.pop(command), *both.values()
