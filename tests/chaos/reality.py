"""A random history on real processes, from a seed: parts are killed, calls fail, receivers sulk."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.management import ServiceBusAdministrationClient
from azure.storage.blob import BlobServiceClient

from mesh.model.names import ProductId
from tests.chaos.api_clients import PATIENCE_S, ApiClients, path_of
from tests.chaos.evidence import Evidence, Landed, Story, Wish
from tests.chaos.faults import Proxy
from tests.chaos.files import some_file
from tests.chaos.promise import broken
from tests.chaos.simulation import QUARANTINED
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

T = TypeVar("T")
OBJECT = "countries"
A_FILE_S = 0.3
"""How long it takes to drop one, more or less."""


@dataclass(kw_only=True)
class Campaign(ApiClients):
    """Histories on one stack, one after the other, each with products of its own.

    Attributes:
        published: all that the topic handed on.
        pulled: what each topic subscription held, by its name.
    """

    proxy: Proxy
    published: list[dict[str, Any]] = field(default_factory=list)
    pulled: defaultdict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
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
        leaver, sleeper = self._guests(products, files)
        with Storm(self.stack, self.proxy, random.Random(seed), self.happened):
            self._drop_all(chance, products, files, leaver, sleeper)
        self.come_to_rest()
        self._resume_all()
        return self.broken()

    def _resume_all(self) -> None:
        """Receivers mend; who is not told any more is told again, of all that was missed."""
        self.inboxes.moods.clear()
        for wish in self.wishes.values():
            path = path_of(wish)
            if wish.is_pulled or wish.last is not None:
                continue
            if self.api.get(path).json()["state"] != "active":
                asked = self.api.post(f"{path}/resumption", json={"held": "replay"})
                assert asked.status_code == 200, asked.text
                self.happened["resumed"] += 1
        self.come_to_rest()

    def _drop_all(
        self,
        chance: random.Random,
        products: list[ProductId],
        files: int,
        leaver: Wish,
        sleeper: Wish,
    ) -> None:
        first = len(self.landed)
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
                self.unsubscribe(leaver)
                self.revoke(products[0], "transit")
                self.expire(products[1], "charter")
            if number in {files // 3, files * 2 // 3}:
                self.hold(sleeper, number == files // 3)
            time.sleep(chance.choice((0, 0, 0.1, 0.8)))

    def _guests(self, products: list[ProductId], files: int) -> tuple[Wish, Wish]:
        """Who leaves, who sleeps for a while; and domains that may consume until midway.

        There are retries on their way to the latter when that is over.
        """
        leaver = self.subscribe(products[0], "leaver")
        sleeper = self.subscribe(products[1], "sleeper")
        self.subscribe(products[0], "transit", "later", "500", "204", subscriber="transit")
        self.lend(products[1], "charter", timedelta(seconds=8 + files * A_FILE_S / 2))
        self.subscribe(products[1], "charter", "later", "500", "204", subscriber="charter")
        return leaver, sleeper

    def _subscribers(self, product: ProductId) -> None:
        self.subscribe(product, "steady")
        self.subscribe(product, "moody", "204", "204", "500", "429", "reset", "lost", "slow")
        self.subscribe(product, "gone", "410")
        self.subscribe(product, "lawyer", "204", "500", types=QUARANTINED)
        asked = {"subscriber": "shipping"}
        made = self.api.post(f"/products/{product}/subscriptions", json=asked).json()
        self.remember(product, made, frozenset())
        theirs = self.stack.theirs
        self.deliver_to(product, "service_bus", theirs.queue)
        self.deliver_to(product, "event_grid", theirs.topic)
        self.deliver_to(product, "inbox", theirs.inbox)

    def drop(self, name: str, data: bytes, product: ProductId, *, misplaced: bool = False) -> None:
        """Upload a file, once."""
        etag = upload(self.blobs.get_blob_client("landing", name), data, self.until)
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
        self.count_barred()
        self.arrived += self.stack.theirs.arrived()
        self.published += drain(self.bus, self.admin, TAP)
        for wish in self.wishes.values():
            if wish.is_pulled and wish.last is None:
                self.pulled[wish.target] += drain(self.bus, self.admin, wish.target)
        kills = sum(part.kills for part in self.stack.parts)
        story = Story(landed=self.landed, wishes=list(self.wishes.values()), kills=kills)
        return broken(story, self.evidence())
