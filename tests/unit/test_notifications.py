"""Subscribers are told, again after a failure, and not again after a success."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from mesh import fan_out, notifications, subscriptions
from mesh.errors import NotFound, Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.model.events import FILE_QUARANTINED, PRODUCT_UPDATED, ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.notification import Notification
from mesh.model.subscription import PULL, Channel, Filter, State, filter_from_data, webhook

COUNTRIES = ProductId(domain="geography", product="countries")
URL = "https://consumer.example/hook"
TO_URL = webhook(URL)
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\n"
UPDATES = Filter(types=frozenset({PRODUCT_UPDATED}))


def subscribe(world, *, route=TO_URL, wanted=UPDATES):
    return subscriptions.subscribe(
        world.backbone, COUNTRIES, subscriber="aviation", route=route, wanted=wanted
    )


def failed(outcome="retry", status=500, retry_after=None):
    return DeliveryAttempt(
        outcome=outcome, status=status, reason="No.", retry_after=retry_after, duration_s=0.1
    )


def attempts(world, made):
    [event] = [event for event in world.events() if event["type"] == PRODUCT_UPDATED]
    sequence = int(event["sequence"])
    delivery = world.backbone.deliveries.get(COUNTRIES, sequence, made.subscription.id)
    return [] if delivery is None else list(delivery.attempts)


def test_a_subscriber_is_told_once_and_can_verify_it(countries):
    made = subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()

    [request] = countries.webhooks.requests
    told = json.loads(request.body)
    assert request.url == URL
    assert told["type"] == PRODUCT_UPDATED
    assert told["data"]["snapshot"]["rows"] == 1
    expected = Webhook(made.secret).sign(
        request.headers["webhook-id"], countries.clock(), request.body.decode()
    )
    assert request.headers["webhook-signature"] == expected
    assert [attempt.outcome for attempt in attempts(countries, made)] == ["delivered"]


def test_a_filter_keeps_other_events_back(countries):
    subscribe(countries, wanted=Filter(types=frozenset({FILE_QUARANTINED})))
    subscribe(countries, wanted=Filter(objects=frozenset({"countries"})))

    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()

    assert len(countries.webhooks.requests) == 1


def test_an_event_that_comes_twice_is_told_once(countries):
    subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    event = ReceivedEvent.from_cloudevent(countries.topic.published[-1])

    assert fan_out.fan_out(countries.backbone, event) == 1
    again = Notification.first(event, subscriptions_of(countries)[0].id)
    assert notifications.notify(countries.backbone, again) is None

    assert len(countries.webhooks.requests) == 1


def subscriptions_of(world):
    return subscriptions.of_product(world.backbone, COUNTRIES)


def test_a_failure_is_tried_again_on_the_schedule_under_the_same_id(countries):
    made = subscribe(countries)
    countries.webhooks.answers.extend([failed(), failed(status=503)])
    countries.land(f"{PLACE}/all.csv", GOOD)

    countries.deliver()
    assert len(countries.webhooks.requests) == 1
    first = attempts(countries, made)[0]
    assert first.outcome == "retry"
    assert timedelta(seconds=5) <= first.next_at - countries.clock() <= timedelta(seconds=6)

    countries.clock.advance(timedelta(seconds=6))
    countries.deliver()
    countries.clock.advance(timedelta(minutes=6))
    countries.deliver()

    assert [a.outcome for a in attempts(countries, made)] == ["retry", "retry", "delivered"]
    assert len({r.headers["webhook-id"] for r in countries.webhooks.requests}) == 1


def test_a_receiver_may_ask_for_a_longer_pause(countries):
    made = subscribe(countries)
    countries.webhooks.answers.append(failed(status=429, retry_after=timedelta(hours=1)))
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()

    [first] = attempts(countries, made)
    assert first.next_at - countries.clock() >= timedelta(hours=1)


def test_the_last_attempt_of_the_schedule_is_on_record_as_such(countries):
    made = subscribe(countries)
    rounds = len(countries.backbone.policy.schedule)
    countries.webhooks.answers.extend([failed()] * rounds)
    countries.land(f"{PLACE}/all.csv", GOOD)
    for _ in range(rounds):
        countries.deliver()
        countries.clock.advance(timedelta(days=2))

    made_attempts = attempts(countries, made)
    assert [attempt.number for attempt in made_attempts] == list(range(1, rounds + 1))
    assert made_attempts[-1].outcome == "exhausted"
    assert made_attempts[-1].next_at is None
    assert countries.queues.waiting(notifications.QUEUE) == []


def test_a_receiver_that_is_gone_is_told_no_more(countries):
    made = subscribe(countries)
    countries.webhooks.answers.append(failed(outcome="gone", status=410))
    countries.land(f"{PLACE}/one.csv", GOOD)
    countries.deliver()
    countries.land(f"{PLACE}/two.csv", GOOD)
    countries.deliver()

    assert len(countries.webhooks.requests) == 1
    found = subscriptions.find(countries.backbone, COUNTRIES, made.subscription.id)
    assert found.state is State.GONE


def test_a_crash_after_the_attempt_was_recorded_tells_nobody_twice(countries):
    made = subscribe(countries)
    countries.webhooks.answers.append(failed())
    countries.land(f"{PLACE}/all.csv", GOOD)
    event = ReceivedEvent.from_cloudevent(countries.topic.published[-1])
    first = Notification.first(event, made.subscription.id)
    countries.queues.failure = ConnectionError("killed between record and schedule")
    with pytest.raises(ConnectionError):
        notifications.notify(countries.backbone, first)
    countries.queues.failure = None

    notifications.notify(countries.backbone, first)

    assert len(countries.webhooks.requests) == 1
    [scheduled] = countries.queues.waiting(notifications.QUEUE)
    assert scheduled.body["attempt"] == 2
    assert scheduled.due == attempts(countries, made)[0].next_at


def test_nobody_is_told_after_unsubscribing(countries):
    made = subscribe(countries)
    countries.land(f"{PLACE}/all.csv", GOOD)
    subscriptions.unsubscribe(countries.backbone, COUNTRIES, made.subscription.id)
    countries.deliver()

    assert countries.webhooks.requests == []


def test_subscribing_twice_is_subscribing_once_and_tells_the_secret_once(countries):
    first = subscribe(countries)
    second = subscribe(countries)

    assert second.subscription.id == first.subscription.id
    assert first.secret.startswith("whsec_")
    assert second.secret is None
    assert len(subscriptions_of(countries)) == 1


def test_the_same_request_again_is_told_the_secret_again(countries):
    def ask(key):
        return subscriptions.subscribe(
            countries.backbone,
            COUNTRIES,
            subscriber="aviation",
            route=TO_URL,
            wanted=UPDATES,
            key=key,
        )

    first = ask("a")
    assert ask("a") == first
    assert [ask(key).secret for key in ("b", "")] == [None, None]
    subscriptions.rotate_secret(countries.backbone, COUNTRIES, first.subscription.id)
    assert ask("a").secret is None


def test_a_request_of_the_day_before_is_another_one(countries):
    def ask():
        return subscriptions.subscribe(
            countries.backbone,
            COUNTRIES,
            subscriber="aviation",
            route=TO_URL,
            wanted=UPDATES,
            key="a",
        )

    ask()
    countries.clock.advance(subscriptions.SAME_REQUEST)

    assert ask().secret is None


def test_who_subscribes_again_gets_a_secret_that_was_never_used(countries):
    def told():
        return subscriptions.subscribe(
            countries.backbone,
            COUNTRIES,
            subscriber="fleet",
            route=webhook("https://fleet.example/hook"),
            wanted=Filter(),
            key="one",
        )

    secrets = []
    for _ in range(3):
        made = told()
        identity = made.subscription.id
        rotated = subscriptions.rotate_secret(countries.backbone, COUNTRIES, identity)
        secrets += [made.secret, rotated.secret]
        for _ in range(2):
            subscriptions.unsubscribe(countries.backbone, COUNTRIES, identity)

    assert None not in secrets
    assert len(set(secrets)) == len(secrets)
    made = told()
    assert told().secret == made.secret  # the same request again, of the same subscription


def test_a_secret_is_not_used_again_by_who_subscribes_while_others_come_and_go(countries):
    """Another subscribes, rotates and ends it between the look and the writing."""

    class Raced:
        def __getattr__(self, name):
            return getattr(countries.backbone.subscriptions, name)

        def add(self, wants):
            inner = countries.backbone.subscriptions
            inner.add(wants)
            subscriptions.rotate_secret(countries.backbone, COUNTRIES, wants.id)
            inner.remove(COUNTRIES, wants.id)
            inner.add(wants)

    made = subscriptions.subscribe(
        replace(countries.backbone, subscriptions=Raced()),
        COUNTRIES,
        subscriber="fleet",
        route=webhook("https://fleet.example/hook"),
        wanted=Filter(),
    )

    stored = subscriptions.find(countries.backbone, COUNTRIES, made.subscription.id)
    assert stored == made.subscription
    assert stored.generation == 3
    assert made.secret == countries.backbone.signing.reveal(stored.id, 3)


def test_a_receiver_may_hold_a_public_key_instead_of_a_secret(countries):
    made = subscribe(countries, route=webhook(URL, signature="v1a"))
    rotated = subscriptions.rotate_secret(countries.backbone, COUNTRIES, made.subscription.id)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()

    [request] = countries.webhooks.requests
    about = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}."
    signatures = [one.split(",") for one in request.headers["webhook-signature"].split()]
    assert [version for version, _ in signatures] == ["v1a", "v1a"]
    for key, (_, signature) in zip((rotated.secret, made.secret), signatures, strict=True):
        raw = b64decode(key.removeprefix("whpk_"))
        verifier = Ed25519PublicKey.from_public_bytes(raw)
        verifier.verify(b64decode(signature), about.encode() + request.body)  # raises if it is not


def test_while_a_secret_is_rotated_both_verify(countries):
    made = subscribe(countries)
    rotated = subscriptions.rotate_secret(countries.backbone, COUNTRIES, made.subscription.id)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    countries.clock.advance(subscriptions.BOTH_SECRETS_LIVE)
    countries.land(f"{PLACE}/more.csv", GOOD)
    countries.deliver()

    during, after = countries.webhooks.requests
    assert signatures(during) == {sign(made, during), sign(rotated, during)}
    assert signatures(after) == {sign(rotated, after)}


def test_a_secret_that_was_lost_and_rotated_again_takes_none_from_the_receiver(countries):
    made = subscribe(countries)
    identity = made.subscription.id
    for _ in range(2):
        rotated = subscriptions.rotate_secret(countries.backbone, COUNTRIES, identity)
        countries.clock.advance(subscriptions.BOTH_SECRETS_LIVE / 2)
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    countries.clock.advance(subscriptions.BOTH_SECRETS_LIVE)
    subscriptions.rotate_secret(countries.backbone, COUNTRIES, identity)
    countries.land(f"{PLACE}/more.csv", GOOD)
    countries.deliver()

    during, after = countries.webhooks.requests
    assert {sign(made, during), sign(rotated, during)} < signatures(during)
    assert sign(rotated, after) in signatures(after)
    assert (len(signatures(during)), len(signatures(after))) == (3, 2)


def signatures(request):
    return set(request.headers["webhook-signature"].split())


def sign(made, request):
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    return Webhook(made.secret).sign(request.headers["webhook-id"], at, request.body.decode())


@pytest.mark.parametrize(("port", "method"), [("pull", "create"), ("subscriptions", "remove")])
def test_the_broker_holds_nothing_for_who_unsubscribes_and_subscribes_at_once(
    countries, port, method
):
    """The one does all of it while the other is about to."""
    wanted = Filter()

    def ask(backbone):
        return subscriptions.subscribe(
            backbone, COUNTRIES, subscriber="fleet", route=PULL, wanted=wanted
        )

    def end(backbone):
        subscriptions.unsubscribe(backbone, COUNTRIES, identity)

    identity = ask(countries.backbone).subscription.id
    this, other = (ask, end) if method == "create" else (end, ask)
    inner, raced = getattr(countries.backbone, port), [True]

    class Raced:
        def __getattr__(self, name):
            if name == method and raced:
                raced.clear()
                other(countries.backbone)
            return getattr(inner, name)

    this(replace(countries.backbone, **{port: Raced()}))

    on_record = [one.target for one in subscriptions.of_product(countries.backbone, COUNTRIES)]
    assert list(countries.pull.existing) == on_record == []


def test_a_pull_subscriber_gets_a_topic_subscription_of_its_own(countries):
    made = subscribe(countries, route=PULL)

    assert made.secret is None
    assert made.subscription.channel is Channel.PULL
    assert len(made.subscription.target) <= 50
    assert countries.pull.existing == {made.subscription.target: (COUNTRIES, UPDATES)}
    countries.land(f"{PLACE}/all.csv", GOOD)
    countries.deliver()
    assert countries.webhooks.requests == []

    subscriptions.unsubscribe(countries.backbone, COUNTRIES, made.subscription.id)
    assert countries.pull.existing == {}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"wanted": {"types": ["mesh.product.deleted.v1"]}}, "Unknown event type 'mesh.product"),
        ({"wanted": {"objects": ["rivers"]}}, "geography/countries has no object 'rivers'; it"),
        ({"wanted": {"objects": ["../up"]}}, "'../up' cannot name an object"),
        ({"subscriber": "Aviation Ltd"}, "'Aviation Ltd' cannot name a domain"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(countries, wrong, message):
    with pytest.raises(Rejected, match=message):
        subscriptions.subscribe(
            countries.backbone,
            COUNTRIES,
            subscriber=wrong.get("subscriber", "aviation"),
            route=TO_URL,
            wanted=filter_from_data(wrong.get("wanted", {})),
        )


def test_a_receiver_that_does_not_want_to_be_told_is_not_subscribed(countries):
    countries.webhooks.unwilling.add(URL)

    with pytest.raises(Rejected, match="does not want our notifications"):
        subscribe(countries)

    assert subscriptions_of(countries) == []


def test_what_is_not_there_is_said_by_name(countries):
    nowhere = ProductId(domain="geography", product="rivers")
    with pytest.raises(NotFound, match="There is no product geography/rivers"):
        subscriptions.of_product(countries.backbone, nowhere)
    with pytest.raises(NotFound, match="There is no subscription 'x' to geography/countries"):
        subscriptions.unsubscribe(countries.backbone, COUNTRIES, "x")
    made = subscribe(countries, route=PULL)
    with pytest.raises(Rejected, match="only webhooks have a secret"):
        subscriptions.rotate_secret(countries.backbone, COUNTRIES, made.subscription.id)
