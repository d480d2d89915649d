"""A random history on real processes, from a seed: parts are killed, calls fail, receivers sulk."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import httpx
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.management import ServiceBusAdministrationClient
from azure.storage.blob import BlobServiceClient

from mesh.model.names import ProductId
from tests.chaos.consumers import Told
from tests.chaos.evidence import Evidence, Landed, Story, Wish
from tests.chaos.faults import Proxy
from tests.chaos.files import some_file
from tests.chaos.inboxes import Inboxes
from tests.chaos.processes import Stack
from tests.chaos.promise import broken
from tests.chaos.simulation import QUARANTINED, SPLIT
from tests.chaos.stored import (
    QUEUES,
    TAP,
    TOPIC,
    drain,
    evidence_in,
    resubmit_dead_letters,
)
from tests.chaos.storm import Storm
from tests.chaos.uploads import blob_created, upload
from tests.conftest import EVERYTHING, easy_auth
from tests.unit.conftest import contract, declaration

T = TypeVar("T")
PATIENCE_S = 300.0
OBJECT = "countries"
UNDER_WAY = timedelta(seconds=30)
"""What an attempt may take that began before an agreement ended: its limit, frozen in between."""


@dataclass(kw_only=True)
class Campaign:
    """Histories on one stack, one after the other, each with products of its own.

    Attributes:
        happened: what did, for the report.
        ended: by which time who was barred is told of nothing more, by the wish's id.
    """

    stack: Stack
    proxy: Proxy
    inboxes: Inboxes
    happened: Counter[str] = field(default_factory=Counter)
    landed: list[Landed] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)
    arrived: list[Told] = field(default_factory=list)
    ended: dict[str, datetime] = field(default_factory=dict)
    pulled: defaultdict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        # Nobody checks tokens here: these are the headers that a checked one would have become.
        self.api = httpx.Client(base_url=self.stack.api, headers=easy_auth(EVERYTHING), timeout=60)
        storage = self.stack.storage.ready["connection_string"]
        self.blobs = BlobServiceClient.from_connection_string(storage, retry_total=0)
        self.bus = ServiceBusClient.from_connection_string(self.stack.settings["SERVICE_BUS"])
        self.admin = ServiceBusAdministrationClient.from_connection_string(
            self.stack.settings["SERVICE_BUS_ADMIN"],
            connection_verify=self.stack.settings["SERVICE_BUS_ADMIN_CERTIFICATE"],
        )
        self.admin.create_subscription(TOPIC, TAP)
        self._numbers = itertools.count(1)

    def close(self) -> None:
        for client in (self.api, self.blobs, self.bus, self.admin):
            client.close()

    def counted(self) -> Counter[str]:
        """What happened so far."""
        faults = {f"fault {kind}": count for kind, count in self.proxy.happened.items()}
        answers = {f"answer {mood}": count for mood, count in self.inboxes.happened.items()}
        return self.happened + Counter({"files": len(self.landed), **faults, **answers})

    def live(self, seed: int, files: int) -> list[str]:
        """One history; returns every way in which the promise is broken, in any so far."""
        chance = random.Random(seed)
        products = [ProductId(domain=f"s{seed}-{name}", product="countries") for name in "ab"]
        for product, split in zip(products, (False, True), strict=True):
            self.onboard(product, split=split)
            self._subscribers(product)
        with Storm(self.stack, self.proxy, random.Random(seed), self.happened):
            self._drop_all(chance, products, files)
        self.come_to_rest()
        self._resume_all()
        return self.broken()

    def _resume_all(self) -> None:
        """Receivers mend; who is not told any more is told again, of all that was missed."""
        self.inboxes.moods.clear()
        for wish in self.wishes.values():
            path = _path(wish)
            if wish.is_pulled or wish.last is not None:
                continue
            if self.api.get(path).json()["state"] != "active":
                asked = self.api.post(f"{path}/resumption", json={"held": "replay"})
                assert asked.status_code == 200, asked.text
                self.happened["resumed"] += 1
        self.come_to_rest()

    def _drop_all(self, chance: random.Random, products: list[ProductId], files: int) -> None:
        first = len(self.landed)
        leaver = self.subscribe(products[0], "leaver")
        sleeper = self.subscribe(products[1], "sleeper")
        self.subscribe(products[0], "transit", subscriber="transit")
        for number in range(files):
            product = chance.choice(products)
            name = f"{product}/v1/{OBJECT}/{chance.randint(1, max(3, files // 4))}.csv"
            misplaced = chance.random() < 0.05
            if misplaced:
                name = f"{product}/v1/rivers/{number}.csv"
            self.drop(name, some_file(chance), product, misplaced=misplaced)
            if chance.random() < 0.2:
                self._tell_again(chance.choice(self.landed[first:]))
            if number == files // 2:
                self._unsubscribe(leaver)
                self._revoke(products[0], "transit")
            if number in {files // 3, files * 2 // 3}:
                self._hold(sleeper, number == files // 3)
            time.sleep(chance.choice((0, 0, 0.1, 0.8)))

    def onboard(self, product: ProductId, *, split: bool) -> None:
        files = declaration(product, contract(product, more=SPLIT if split else None))
        asked = self.api.post("/onboardings", json={"files": files}).json()
        saga = self._until(
            lambda: self.api.get(f"/onboardings/{asked['id']}").json(),
            lambda saga: saga["status"] != "running",
        )
        assert saga["status"] == "registered", saga

    def _subscribers(self, product: ProductId) -> None:
        self.subscribe(product, "steady")
        self.subscribe(product, "moody", "204", "204", "500", "429", "reset", "lost", "slow")
        self.subscribe(product, "gone", "410")
        self.subscribe(product, "lawyer", "204", "500", types=QUARANTINED)
        asked = {"subscriber": "shipping"}
        made = self.api.post(f"/products/{product}/subscriptions", json=asked).json()
        self._remember(product, made, frozenset())
        theirs = self.stack.theirs
        self._deliver_to(product, "service_bus", theirs.queue)
        self._deliver_to(product, "event_grid", theirs.topic)
        self._deliver_to(product, "inbox", theirs.inbox)

    def _deliver_to(self, product: ProductId, member: str, target: str) -> None:
        asked = {"subscriber": "press", member: target}
        path = f"/products/{product}/subscriptions"
        made = self.api.post(path, json=asked)
        if made.status_code == 403:
            token = self._until(partial(self._token, target), lambda found: found is not None)
            made = self.api.post(path, json={**asked, "token": token})
        assert made.status_code == 201, made.text
        # What arrives there names its product, and not the subscription.
        there = f"{made.json()['target']}#{product.key}"
        self._remember(product, {**made.json(), "target": there}, frozenset())

    def _token(self, target: str) -> str | None:
        """What came there to prove that it is its subscriber's, once it has."""
        self.arrived += self.stack.theirs.arrived()
        return self.stack.theirs.tokens.get(target)

    def subscribe(
        self,
        product: ProductId,
        name: str,
        *moods: str,
        types: frozenset[str] = frozenset(),
        subscriber: str = "aviation",
    ) -> Wish:
        url = self.inboxes.url(f"/{product}/{name}", *moods)
        asked = {"subscriber": subscriber, "webhook": url, "filter": {"types": sorted(types)}}
        made = self.api.post(f"/products/{product}/subscriptions", json=asked)
        assert made.status_code == 201, made.text
        return self._remember(product, made.json(), types)

    def _remember(
        self,
        product: ProductId,
        made: Mapping[str, Any],
        types: frozenset[str],
    ) -> Wish:
        wish = Wish(
            id=made["id"],
            partition=product.key,
            target=made["target"],
            types=types,
            secret=made["secret"],
            is_pulled=made["channel"] == "pull",
            first=len(self.landed) + 1,
            subscriber=made["subscriber"],
        )
        self.wishes[wish.id] = wish
        return wish

    def _unsubscribe(self, wish: Wish) -> None:
        self._until(lambda: self._status("DELETE", _path(wish)), lambda told: told in {204, 404})
        self.wishes[wish.id] = replace(wish, last=len(self.landed))

    def _hold(self, wish: Wish, is_held: bool) -> None:
        """Suspend a subscription, or have it told of all that was held; 409 when that was done."""
        what, why = "resumption", {"held": "replay"}
        if is_held:
            what, why = "suspension", {"reason": "Asleep."}
        path = f"{_path(wish)}/{what}"
        self._until(lambda: self._status("POST", path, why), lambda told: told in {200, 409})
        self.happened[what] += 1

    def _revoke(self, product: ProductId, consumer: str) -> None:
        """End a domain's agreement; requests that were under way then may still arrive."""
        path = f"/products/{product}/agreements/{consumer}/decision"
        why = {"decision": "revoke", "reason": "It was enough."}
        self._until(lambda: self._status("POST", path, why), lambda told: told in {200, 409})
        self.happened["agreements ended"] += 1
        for wish in list(self.wishes.values()):
            if (wish.partition, wish.subscriber) == (product.key, consumer):
                self.wishes[wish.id] = replace(wish, last=len(self.landed))
                self.ended[wish.id] = datetime.now(UTC) + UNDER_WAY

    def _barred(self) -> None:
        """Count what came before an agreement's end was known everywhere."""
        for name, until in self.ended.items():
            wish = self.wishes[name]
            early = sum(one.url == wish.target and one.at <= until for one in self.inboxes.told)
            self.wishes[name] = replace(wish, barred_after=early)

    def _status(self, method: str, path: str, body: Mapping[str, str] | None = None) -> int:
        try:
            return self.api.request(method, path, json=body).status_code
        except httpx.TransportError:
            return 0

    def drop(self, name: str, data: bytes, product: ProductId, *, misplaced: bool = False) -> None:
        """Upload a file, once."""
        etag = upload(self.blobs.get_blob_client("landing", name), data, self._until)
        self.landed.append(
            Landed(
                partition=product.key,
                place=name,
                etag=etag,
                data=data,
                order=len(self.landed) + 1,
                split=product.domain.endswith("b"),
                misplaced=misplaced,
            )
        )

    def _tell_again(self, landed: Landed) -> None:
        """Another BlobCreated of a version that was told of already."""
        event = blob_created(self.stack.settings["STORAGE"], landed)
        message = ServiceBusMessage(json.dumps(event), message_id=f"again-{next(self._numbers)}")
        try:
            with self.bus.get_queue_sender("landed-files") as sender:
                sender.send_messages(message, timeout=5)
            self.happened["duplicates"] += 1
        except AzureError:
            self.happened["duplicates that were not sent"] += 1

    def come_to_rest(self) -> None:
        """Wait until every queue and the outbox are empty and every version has its verdict."""
        deadline = time.monotonic() + PATIENCE_S
        while waiting := self._waiting() or self._waiting():
            if waiting.pop("dead", 0):
                dead = resubmit_dead_letters(self.bus)
                self.happened.update(f"dead letter: {letter[:120]}" for letter in dead)
            assert time.monotonic() < deadline, f"the mesh does not come to rest: {waiting}"
            time.sleep(0.5)

    def _waiting(self) -> dict[str, int]:
        """What is still on its way, and how many dead letters there are."""
        found: Counter[str] = Counter()
        for queue in QUEUES:
            counted = self.admin.get_queue_runtime_properties(queue)
            found[queue] += counted.active_message_count or 0
            found[queue] += counted.scheduled_message_count or 0
            found["dead"] += counted.dead_letter_message_count or 0
        fanning = self.admin.get_subscription_runtime_properties(TOPIC, "fan-out")
        found["fan-out"] = fanning.active_message_count or 0
        found["fan-out dead"] = fanning.dead_letter_message_count or 0
        evidence = self.evidence()
        found["outbox"] = sum(map(len, evidence.outbox.values()))
        decided = {entry["etag"] for entries in evidence.ledger.values() for entry in entries}
        found["undecided"] = sum(one.etag not in decided for one in self.landed)
        return {name: count for name, count in found.items() if count}

    def evidence(self) -> Evidence:
        return evidence_in(
            self.stack.storage.ready["connection_string"],
            published=self.published,
            told=[*self.inboxes.told, *self.arrived],
            pulled=self.pulled,
            dead=[],
        )

    def broken(self) -> list[str]:
        self._barred()
        self.arrived += self.stack.theirs.arrived()
        self.published += drain(self.bus, self.admin, TAP)
        for wish in self.wishes.values():
            if wish.is_pulled and wish.last is None:
                self.pulled[wish.target] += drain(self.bus, self.admin, wish.target)
        kills = sum(part.kills for part in self.stack.parts)
        story = Story(landed=self.landed, wishes=list(self.wishes.values()), kills=kills)
        return broken(story, self.evidence())

    @staticmethod
    def _until(ask: Callable[[], T], enough: Callable[[T], bool]) -> T:
        deadline = time.monotonic() + PATIENCE_S
        while not enough(answer := ask()):
            assert time.monotonic() < deadline, f"still {answer}"
            time.sleep(0.1)
        return answer


def _path(wish: Wish) -> str:
    domain, _, product = wish.partition.partition(".")
    return f"/products/{domain}/{product}/subscriptions/{wish.id}"
