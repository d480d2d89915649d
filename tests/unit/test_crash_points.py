"""A worker dies, or an answer is lost, at every effect of a journey in turn; the promise holds.

An effect is a call of a port: to storage, record, topic, queues or a receiver. Each history is run
once unharmed, which counts its effects; then once for each of them, with the worker killed before
it took effect or after (which is before the next one: nothing of the world changes in between),
told that it failed though it did not, or with the call made twice, as an SDK does that lost the
answer. Then the platform redelivers. What is on record and who was told of what must be as in the
unharmed run.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

import pytest

from mesh import (
    attempts,
    contracts,
    fan_out,
    landing,
    memory,
    notices,
    outbox,
    reminding,
)
from mesh.memory import registry
from mesh.model.events import Event
from mesh.model.names import ProductId
from mesh.model.subscription import Filter
from mesh.model.subscription_events import own_stream
from tests.chaos.broker import Waiting
from tests.chaos.bugs import told_everybody
from tests.chaos.effects import Fate, unharmed
from tests.chaos.evidence import in_memory
from tests.chaos.turns import Turns, separate_processes
from tests.chaos.world import LANDED, World, a_new_process
from tests.unit.conftest import contract, declaration

COUNTRIES = ProductId(domain="geography", product="countries")
SHEET = ProductId(domain="atlas", product="sheet")
PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
BAD = b"code,name,area\nCH,Switzerland,41285\nxx,Nowhere,-1\n"
WEBHOOK = "https://aviation.example/hook"
SPLIT = {
    "customProperties": [
        {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 0.7}}
    ]
}


PHASES = {"kill": ("before", "complete"), "fail": ("after",), "twice": ("before",)}


@dataclass
class Script:
    """The fate of all workers of a history: something happens at the effect number `at`."""

    at: int | None = None
    what: str = "kill"
    passed: list[str] = field(default_factory=list)

    def __call__(self, _number: int, name: str) -> str:
        self.passed.append(name)
        return self.what if len(self.passed) == self.at else "live"

    def chances(self, what: str) -> list[int]:
        """The effects at which `what` can happen."""
        return [at for at, name in enumerate(self.passed, start=1) if name.startswith(PHASES[what])]


History = Callable[[World, Fate], None]


def with_product(world: World, *, split: bool = False, subscribed: bool = True) -> None:
    """Let there be the product `geography/countries`, and two subscribers to it."""
    if world.landed:
        world.onboard(declaration(COUNTRIES), COUNTRIES)
        world.settle()
    else:
        world.become(prepared(split=split, subscribed=subscribed))


@lru_cache
def prepared(*, split: bool, subscribed: bool) -> World:
    world = World()
    with world.running():
        contracts = contract(more=SPLIT if split else None)
        world.onboard(declaration(COUNTRIES, contracts), COUNTRIES)
        world.settle()
        if subscribed:
            world.subscribe(COUNTRIES, WEBHOOK)
            world.subscribe(COUNTRIES, None, subscriber="shipping")
    return world


def a_good_file(world: World, fate: Fate) -> None:
    with_product(world)
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle(lambda _: fate)


def a_bad_file(world: World, fate: Fate) -> None:
    with_product(world)
    world.drop(f"{PLACE}/all.csv", BAD)
    world.settle(lambda _: fate)


def a_split_file(world: World, fate: Fate) -> None:
    with_product(world, split=True)
    world.drop(f"{PLACE}/all.csv", BAD)
    world.settle(lambda _: fate)


def a_file_that_is_overwritten(world: World, fate: Fate) -> None:
    with_product(world)
    world.drop(f"{PLACE}/all.csv", BAD)
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle(lambda _: fate)


def versions_in_the_wrong_order(world: World, fate: Fate) -> None:
    with_product(world)
    world.drop(f"{PLACE}/all.csv", BAD)
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.broker.waiting.reverse()
    world.settle(lambda _: fate)


def a_misplaced_file(world: World, fate: Fate) -> None:
    with_product(world)
    world.drop("geography/rivers/v1/rivers/all.csv", GOOD)
    world.drop(f"{PLACE[:-9]}/rivers/all.csv", GOOD, misplaced=True)
    world.settle(lambda _: fate)


def a_file_and_its_product_arrive_together(world: World, fate: Fate) -> None:
    """The file is refused, for there is no product yet; then the product comes.

    If the worker died before it settled the message, that comes after the product.
    """
    world.drop(f"{PLACE}/all.csv", GOOD)
    [message] = world.broker.ready()
    world.run(message, fate)
    message.locked = True
    with_product(world, subscribed=False)
    message.locked = False
    world.settle(lambda _: fate)


def a_message_that_comes_twice(world: World, fate: Fate) -> None:
    with_product(world)
    event = world.drop(f"{PLACE}/all.csv", GOOD)
    world.tell(event, "again")
    world.settle(lambda _: fate)


def a_receiver_that_fails(world: World, fate: Fate) -> None:
    with_product(world)
    answers = itertools.chain(("500", "lost", "429"), itertools.repeat("204"))
    world.receivers.moods[WEBHOOK] = lambda: next(answers)
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle(lambda _: fate)


def a_receiver_that_is_gone(world: World, fate: Fate) -> None:
    with_product(world, subscribed=False)
    world.subscribe(COUNTRIES, WEBHOOK)
    world.receivers.moods[WEBHOOK] = lambda: "410"
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle(lambda _: fate)
    assert [wants.state for wants in world.inner.subscriptions.of_product(COUNTRIES)] == ["gone"]
    world.drop(f"{PLACE}/more.csv", GOOD)
    world.settle(lambda _: fate)


def a_resumption(world: World, fate: Fate) -> None:
    """By workers whose clock has fallen behind since the subscription was made."""
    world.become(with_a_receiver_that_was_gone())
    [wish] = world.wishes.values()
    world.resume(wish, fate)
    world.settle(lambda _: fate)
    told = {json.loads(each.body)["data"]["file"] for each in world.receivers.told if each.taken}
    assert told == {"first.csv", "second.csv"}


@lru_cache
def with_a_receiver_that_was_gone() -> World:
    world = World()
    with world.running():
        world.become(prepared(split=False, subscribed=False))
        world.subscribe(COUNTRIES, WEBHOOK)
        world.skew = timedelta(hours=-2)
        world.receivers.moods[WEBHOOK] = lambda: "410"
        for file in ("first", "second"):
            world.drop(f"{PLACE}/{file}.csv", GOOD)
            world.settle()
    return world


def an_onboarding(world: World, fate: Fate) -> None:
    world.onboard(declaration(COUNTRIES), COUNTRIES, fate)
    world.settle(lambda _: fate)


def a_product_that_changes_to_and_fro(world: World, fate: Fate) -> None:
    world.become(changed_twice())
    world.onboard(declaration(COUNTRIES, version="1.1.0"), COUNTRIES, fate)
    world.settle(lambda _: fate)
    assert len(world.inner.registry.events(COUNTRIES, after=0, limit=100)) == 5


@lru_cache
def changed_twice() -> World:
    world = World()
    with world.running():
        world.become(prepared(split=False, subscribed=True))
        for version in ("1.1.0", "1.0.0"):
            world.onboard(declaration(COUNTRIES, version=version), COUNTRIES)
            world.settle()
    return world


def subscriptions(world: World, fate: Fate) -> None:
    with_product(world, subscribed=False)
    world.subscribe(COUNTRIES, WEBHOOK, fate=fate)
    world.subscribe(COUNTRIES, None, subscriber="shipping", fate=fate)
    world.subscribe(
        COUNTRIES,
        "https://lawyers.example/hook",
        wanted=Filter(types=frozenset({"mesh.file.quarantined.v1"})),
        fate=fate,
    )
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.drop(f"{PLACE}/bad.csv", BAD)
    world.settle()


def an_unsubscription(world: World, fate: Fate) -> None:
    with_product(world)
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.settle(lambda _: fate)
    for wish in list(world.wishes.values()):
        world.unsubscribe(wish, fate)
    world.drop(f"{PLACE}/more.csv", GOOD)
    world.settle(lambda _: fate)


def the_onboarding_of_a_composite(world: World, fate: Fate) -> None:
    world.become(with_a_file())
    world.onboard(sheet(), SHEET, fate)
    world.settle(lambda _: fate)


def a_composite(world: World, fate: Fate) -> None:
    world.become(with_a_composite())
    world.subscribe(SHEET, WEBHOOK)
    world.drop(f"{PLACE}/late.csv", GOOD)
    world.settle(lambda _: fate)


def sheet() -> dict[str, str]:
    """The declaration of a composite that reads `geography/countries`."""
    return declaration(
        SHEET,
        contract(SHEET, object_name="sheet"),
        ports=(("sheet", "1.0.0"),),
        inputs=(("countries", "urn:mesh:geography:countries:countries"),),
    )


@lru_cache
def with_a_file() -> World:
    world = World()
    with world.running():
        world.become(prepared(split=False, subscribed=False))
        world.drop(f"{PLACE}/early.csv", GOOD)
        world.settle()
    return world


@lru_cache
def with_a_composite() -> World:
    world = World()
    with world.running():
        the_onboarding_of_a_composite(world, unharmed)
    return world


def the_end_of_a_port(world: World, fate: Fate) -> None:
    """Acknowledged by one, brought to mind to the other, and retired at its sunset."""
    world.become(with_notice())
    world.call(
        lambda b: notices.acknowledge(b, COUNTRIES, "countries", 1, "shipping", by="chaos"), fate
    )
    for days in (95, 10):
        world.at += timedelta(days=days)
        world.call(reminding.check_all, fate)
    told = world.inner.registry.events(own_stream("aviation"), after=0, limit=10)
    assert [event["type"] for event in told] == ["mesh.notice.given.v1", "mesh.notice.reminded.v1"]


@lru_cache
def with_notice() -> World:
    world = World()
    with world.running():
        world.become(prepared(split=False, subscribed=True))
        files = declaration(COUNTRIES)
        product = json.loads(files["product.odps.json"])
        sunset = (world.at + timedelta(days=100)).isoformat()
        custom = [{"property": "deprecationSunset", "value": sunset}]
        product["outputPorts"][0]["customProperties"] = custom
        world.onboard({**files, "product.odps.json": json.dumps(product)}, COUNTRIES)
        world.settle()
    return world


def what_a_crash_left(world: World, fate: Fate) -> None:
    """The worker dies with its event committed; the message is lost, and the timer comes."""
    with_product(world)
    world.drop(f"{PLACE}/all.csv", BAD)
    world.run(world.broker.ready()[0], kill_before("topic.publish"))
    world.broker.waiting.clear()
    for _ in range(3):
        world.at += 2 * outbox.LEFT_BEHIND
        world.relay(fate)
        world.settle(lambda _: fate)


HISTORIES: list[History] = [
    a_good_file,
    a_bad_file,
    a_split_file,
    a_file_that_is_overwritten,
    versions_in_the_wrong_order,
    a_misplaced_file,
    a_file_and_its_product_arrive_together,
    a_message_that_comes_twice,
    a_receiver_that_fails,
    a_receiver_that_is_gone,
    a_resumption,
    an_onboarding,
    a_product_that_changes_to_and_fro,
    subscriptions,
    an_unsubscription,
    the_onboarding_of_a_composite,
    a_composite,
    the_end_of_a_port,
    what_a_crash_left,
]


MAY_DIFFER = {a_file_and_its_product_arrive_together}
"""Refused or judged: the promise allows for both, whichever comes first."""


def kill_before(name: str) -> Fate:
    return lambda _, passing: "kill" if passing.startswith(f"before {name}") else "live"


def lived(history: History, fate: Fate) -> World:
    """The world after a history, and after all that was left to do."""
    world = World()
    with world.running():
        history(world, fate)
        world.rest()
    return world


def essence(world: World) -> dict[str, Any]:
    """What must come out the same, however often it was begun."""
    evidence = in_memory(world)
    return {
        "verdicts": {
            (key, entry["drop"]): entry["verdict"]
            for key, entries in evidence.ledger.items()
            for entry in entries
        },
        "events": {
            key: sorted((event["type"], event["id"]) for _, event in log)
            for key, log in evidence.log.items()
        },
        "heads": dict(evidence.heads),
        "subscriptions": dict(evidence.subscriptions),
        "told": {(told.url, told.headers["webhook-id"]) for told in evidence.told},
        "taken": {(told.url, json.loads(told.body)["id"]) for told in evidence.told if told.taken},
        "pulled": {name: {event["id"] for event in held} for name, held in evidence.pulled.items()},
    }


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
@pytest.mark.parametrize("what", ["kill", "fail", "twice"])
def test_something_happens_at_every_effect_in_turn(history: History, what: str) -> None:
    calmly = Script()
    calm = lived(history, calmly)
    assert calm.broken() == []
    expected = essence(calm)
    chances = calmly.chances(what)
    assert len(chances) > 1

    for at in chances:
        world = lived(history, Script(at=at, what=what))
        told = f"{what} {calmly.passed[at - 1]} (effect {at} of {len(calmly.passed)})"
        assert world.broken() == [], told
        if history not in MAY_DIFFER:
            assert essence(world) == expected, told


def one_file_twice(world: World) -> None:
    event = world.drop(f"{PLACE}/all.csv", GOOD)
    world.tell(event, "again")


def one_file_twice_while_it_is_overwritten(world: World) -> None:
    event = world.drop(f"{PLACE}/all.csv", GOOD)
    world.tell(event, "again")


def two_versions(world: World) -> None:
    world.drop(f"{PLACE}/all.csv", GOOD)
    older = world.inner.storage.blobs[f"landing/{PLACE}/all.csv"]
    world.drop(f"{PLACE}/all.csv", BAD)
    # Both are still read as they were: the older was open before it was overwritten.
    inner = world.inner.storage
    newer = inner.blobs[f"landing/{PLACE}/all.csv"]
    versions = {older.etag: older, newer.etag: newer}
    inner.open = lambda location, *, etag=None: iter(
        [versions[etag].data if etag in versions else inner.blobs[location].data]
    )


def two_files(world: World) -> None:
    world.drop(f"{PLACE}/all.csv", GOOD)
    world.drop(f"{PLACE}/more.csv", BAD)


@pytest.mark.parametrize(
    "files",
    [one_file_twice, one_file_twice_while_it_is_overwritten, two_versions, two_files],
    ids=lambda files: files.__name__,
)
def test_two_workers_take_turns_at_every_effect(files: Callable[[World], None]) -> None:
    """One goes `first` effects far, the other `second`; then one ends, then the other."""
    for turns, world in interleaved(files):
        assert world.broken() == [], f"the workers took turns after {turns} effects"


def interleaved(files: Callable[[World], None]) -> Iterator[tuple[tuple[int, int], World]]:
    """Every way in which the two workers can take turns twice, and what came of it."""
    steps = most_effects(files)
    # Every other step: from the end of one effect to the beginning of the next, nothing changes.
    for first, second in itertools.product(range(1, steps + 1, 2), repeat=2):
        world = World()
        with world.running(), separate_processes():
            world.become(prepared(split=False, subscribed=True))
            files(world)
            jobs = [partial(world.run, message) for message in world.broker.ready()]
            if files is one_file_twice_while_it_is_overwritten:
                jobs[0] = partial(overwritten_afterwards, world, jobs[0])
            order = iter([0] * first + [1] * second)

            def choose(waiting: Sequence[int], order: Iterator[int] = order) -> int:
                turn = next(order, 0)
                return turn if turn in waiting else waiting[0]

            Turns(choose).run(jobs)
            world.rest()
        yield (first, second), world


def overwritten_afterwards(world: World, job: Callable[[Fate], object], fate: Fate) -> None:
    """The first worker is done; before the second reads the file, it is overwritten."""
    job(fate)
    world.drop(f"{PLACE}/all.csv", BAD)


def stricter() -> dict[str, str]:
    """The declaration of the next version of the product: no country is larger than 100 km²."""
    document = contract(more=SPLIT, version="1.1.0")
    area = document["schema"][0]["properties"][2]
    area["logicalTypeOptions"] = {"minimum": 0, "maximum": 100}
    ports = (("countries", "1.1.0"),)
    return declaration(COUNTRIES, document, ports=ports, version="1.1.0")


def test_who_is_late_and_judges_by_the_next_contract_changes_nothing_announced() -> None:
    """One worker knows the contract of before, the other that of now; the first one decides."""
    world = World()
    with world.running(), separate_processes():
        world.become(prepared(split=True, subscribed=True))
        event = world.drop(f"{PLACE}/all.csv", b"code,name,area\nCH,Big,41285\nVA,Small,1\n")
        world.tell(event, "again")
        early, late = world.broker.ready()

        def change(_: Fate) -> None:
            world.onboard(stricter(), COUNTRIES)
            while saga := [m for m in world.broker.ready() if m.queue == "onboarding"]:
                world.run(saga[0])

        looked = 2 * len(("registry.head", "registry.versions"))
        order = iter([0] * (looked + 1) + [1] + [2] * (looked + 1))
        jobs = [partial(world.run, early), change, partial(world.run, late)]

        def choose(waiting: Sequence[int]) -> int:
            turn = next(order, 0)
            return turn if turn in waiting else waiting[0]

        Turns(choose).run(jobs)
        world.rest()

    [entry] = in_memory(world).ledger["geography.countries"]
    assert (entry["contract"], entry["accepted"]) == ("countries:1.0.0", 2)
    [snapshot] = world.inner.registry.snapshots(COUNTRIES)
    published = world.inner.storage.blobs[snapshot.location].data
    assert published == b"code,name,area\nCH,Big,41285\nVA,Small,1\n"
    assert world.broken() == []


def most_effects(files: Callable[[World], None]) -> int:
    world = World()
    with world.running():
        world.become(prepared(split=False, subscribed=True))
        files(world)
        return max(len(world.run(message).passed) for message in world.broker.ready())


def published_before_it_is_committed(patch: pytest.MonkeyPatch) -> None:
    def commit(backbone: Any, _: ProductId, decide: Any, *, first: Any) -> Any:
        change = decide(first)
        if change is not None:
            backbone.topic.publish([event.to_cloudevent() for event in change.events])
            backbone.registry.commit(change)
        return change

    patch.setattr(landing, "commit", commit)


def taken_off_the_outbox_before_it_is_published(patch: pytest.MonkeyPatch) -> None:
    def publish(backbone: Any, product: ProductId, events: Sequence[Event]) -> None:
        backbone.registry.relayed(product, [event.sequence for event in events])
        backbone.topic.publish([event.to_cloudevent() for event in events])

    patch.setattr(outbox, "publish", publish)


def never_put_into_the_outbox(patch: pytest.MonkeyPatch) -> None:
    """The events are committed, and published from memory only."""
    inner = memory.Registry.commit

    def commit(self: Any, change: Any) -> None:
        inner(self, change)
        self._partitions[change.head.id].outbox.clear()

    patch.setattr(memory.Registry, "commit", commit)


def ids_made_up_anew(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Event, "id", property(lambda _: uuid.uuid4().hex))


def webhook_ids_made_up_anew(patch: pytest.MonkeyPatch) -> None:
    inner = attempts._push

    def push(backbone: Any, notification: Any, *more: Any) -> Any:
        other = replace(notification, webhook_id=f"msg_{uuid.uuid4().hex}")
        return inner(backbone, other, *more)

    patch.setattr(attempts, "_push", push)


def decided_without_looking(patch: pytest.MonkeyPatch) -> None:
    """Whether there is a decision already is not asked, neither by the verb nor by the record."""
    patch.setattr(landing, "_decision", lambda *_: None)
    patch.setattr(landing, "_is_superseded", lambda *_: False)
    patch.setattr(registry, "_check", lambda *_: None)


def told_without_asking_the_filter(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fan_out, "fan_out", told_everybody)


BUGS: list[tuple[Callable[[pytest.MonkeyPatch], None], History, str]] = [
    (published_before_it_is_committed, a_good_file, "kill"),
    (taken_off_the_outbox_before_it_is_published, a_good_file, "kill"),
    (never_put_into_the_outbox, a_good_file, "kill"),
    (ids_made_up_anew, a_good_file, "kill"),
    (webhook_ids_made_up_anew, a_receiver_that_fails, "kill"),
    (decided_without_looking, a_message_that_comes_twice, "kill"),
    (told_without_asking_the_filter, subscriptions, "kill"),
]


@pytest.mark.parametrize(("bug", "history", "what"), BUGS, ids=[bug.__name__ for bug, _, _ in BUGS])
def test_a_bug_is_caught(
    bug: Callable[[pytest.MonkeyPatch], None],
    history: History,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tests above can fail: each of these bugs breaks the promise at some crash point."""
    prepared(split=False, subscribed=True)
    bug(monkeypatch)
    calmly = Script()
    lived(history, calmly)
    broken = [
        told
        for at in calmly.chances(what)
        for told in lived(history, Script(at=at, what=what)).broken()
    ]
    assert broken


def test_versions_in_the_wrong_order_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older version was read before it was overwritten, and is committed after the newer."""
    prepared(split=False, subscribed=True)
    monkeypatch.setattr(landing, "_is_superseded", lambda *_: False)

    assert any(world.broken() for _, world in interleaved(two_versions))


def test_a_commit_without_the_head_that_was_read_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that takes a commit whatever became of its head loses decisions or numbers."""
    prepared(split=False, subscribed=True)
    monkeypatch.setattr(registry, "_check", lambda *_: None)

    assert any(world.broken() for _, world in interleaved(two_files))


def dies_of(file: str, times: int) -> Callable[[Waiting], Fate]:
    """Reading a file ends the worker, so many times; the worker reads others in peace."""
    left = [times]

    def fate_of(message: Waiting) -> Fate:
        def fate(_number: int, name: str) -> str:
            if file in message.body and name == "after storage.open" and left[0]:
                left[0] -= 1
                return "kill"
            return "live"

        return fate

    return fate_of


def verdicts(world: World) -> dict[str, tuple[str, str]]:
    """Verdict and first rule of each file."""
    ledger = in_memory(world).ledger["geography.countries"]
    receipts = {
        entry["file"]: json.loads(world.inner.storage.blobs[entry["receipt"]].data)
        for entry in ledger
    }
    return {
        file: (receipt["verdict"], next((p["rule"] for p in receipt["problems"]), ""))
        for file, receipt in receipts.items()
    }


@pytest.mark.parametrize("times", [0, 1, 2, 100])
def test_a_file_that_ends_two_workers_is_quarantined(times: int) -> None:
    world = World()
    with world.running():
        world.become(prepared(split=False, subscribed=True))
        contracts._plan.cache_clear()
        world.drop(f"{PLACE}/deadly.csv", GOOD)
        world.drop(f"{PLACE}/mild.csv", GOOD)
        world.settle(dies_of("deadly.csv", times))

    poisoned = ("rejected", "poison")
    assert verdicts(world)["deadly.csv"] == (poisoned if times >= 2 else ("accepted", ""))
    assert verdicts(world)["mild.csv"] == ("accepted", "")
    assert world.died == min(times, 2)
    assert world.broken() == []
    assert not suspicions(world), "what was decided is no suspect any more"


def suspicions(world: World) -> dict[str, Any]:
    held: dict[str, Any] = world.inner.registry._partitions[COUNTRIES].suspicions
    return held


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "storage down too"])
def test_who_fails_by_itself_is_no_suspect(noted: bool) -> None:
    """Nine times the storage does not answer, and once the worker is killed; nobody is accused."""
    world = World()
    tries = itertools.count(1)

    def fate_of(message: Waiting) -> Fate:
        attempt = next(tries)

        def fate(_number: int, name: str) -> str:
            if message.queue != LANDED or attempt > 8:
                return "live"
            if name == "before storage.open":
                return "kill" if attempt == 5 else "fail"
            return "fail" if name == "before registry.suspect" and not noted else "live"

        return fate

    with world.running():
        world.become(prepared(split=False, subscribed=True))
        world.drop(f"{PLACE}/all.csv", GOOD)
        world.settle(fate_of)

    assert verdicts(world) == {"all.csv": ("accepted", "")}
    assert world.broken() == []


def test_a_fault_while_a_failure_is_put_down_accuses_nobody() -> None:
    """One worker dies; another fails, cannot say so at once, and is not the next to be asked."""
    world = World()

    def fate_of(message: Waiting) -> Fate:
        a_new_process()
        failed: list[str] = []

        def fate(_number: int, name: str) -> str:
            if message.queue != LANDED or message.deliveries > 2:
                return "live"
            if message.deliveries == 1:
                return "kill" if name == "before storage.open" else "live"
            if name == "before writer.commit" or (failed and "before registry.susp" in name):
                failed.append(name)
                return "fail" if len(failed) <= 3 else "live"
            return "live"

        return fate

    with world.running():
        world.become(prepared(split=False, subscribed=True))
        world.drop(f"{PLACE}/all.csv", GOOD)
        world.settle(fate_of)

    assert verdicts(world) == {"all.csv": ("accepted", "")}
    assert world.died == 1
    assert world.broken() == []


def test_another_message_of_a_decided_version_is_counted() -> None:
    world = World()
    with world.running():
        world.become(prepared(split=False, subscribed=True))
        event = world.drop(f"{PLACE}/all.csv", GOOD)
        for number in range(3):
            world.tell(event, f"again {number}")
        world.settle()
        [message] = [Waiting(queue=LANDED, id="redelivered", body=json.dumps(event), deliveries=1)]
        world.broker.waiting.append(message)
        world.settle()

    [entry] = in_memory(world).ledger["geography.countries"]
    assert entry["duplicates"] == 3, "a message that is delivered again is no further message"
    assert world.broken() == []
