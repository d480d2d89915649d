"""What clients ask of the mesh over HTTP, each until there is an answer."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import httpx
from azure.data.tables import TableClient

from mesh.model.names import ProductId
from tests.chaos.consumers import Told
from tests.chaos.evidence import Landed, Wish
from tests.chaos.inboxes import Inboxes
from tests.chaos.processes import KEY, Stack
from tests.chaos.simulation import SPLIT
from tests.conftest import EVERYTHING, easy_auth
from tests.unit.conftest import contract, declaration

T = TypeVar("T")
PATIENCE_S = 300.0
UNDER_WAY = timedelta(seconds=12)
"""An attempt that began before an agreement ended arrives by then, though it was frozen in between;
a retry that was asked for later than that does not."""


@dataclass(kw_only=True)
class ApiClients:
    """Consumers and owners of products on a stack, and what they remember.

    Attributes:
        happened: what did, for the report.
        arrived: what came to a consumer's own queue, topic and inbox.
        ended: by which time who was barred is told of nothing more, by the wish's id.
        lent: when agreements run out.
    """

    stack: Stack
    inboxes: Inboxes
    happened: Counter[str] = field(default_factory=Counter)
    landed: list[Landed] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)
    arrived: list[Told] = field(default_factory=list)
    ended: dict[str, datetime] = field(default_factory=dict)
    lent: dict[tuple[ProductId, str], datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Nobody checks tokens here: these are the headers that a checked one would have become.
        self.api = httpx.Client(base_url=self.stack.api, headers=easy_auth(EVERYTHING), timeout=60)

    def onboard(self, product: ProductId, *, split: bool) -> None:
        files = declaration(product, contract(product, more=SPLIT if split else None))
        asked = self.api.post("/onboardings", json={"files": files}).json()
        saga = self.until(
            lambda: self.api.get(f"/onboardings/{asked['id']}").json(),
            lambda saga: saga["status"] != "running",
        )
        assert saga["status"] == "registered", saga

    def deliver_to(self, product: ProductId, member: str, target: str) -> None:
        asked = {"subscriber": "press", member: target}
        path = f"/products/{product}/subscriptions"
        made = self.api.post(path, json=asked)
        if made.status_code == 403:
            token = self.until(partial(self._token, target), lambda found: found is not None)
            made = self.api.post(path, json={**asked, "token": token})
        assert made.status_code == 201, made.text
        # What arrives there names its product, and not the subscription.
        there = f"{made.json()['target']}#{product.key}"
        self.remember(product, {**made.json(), "target": there}, frozenset())

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
        return self.remember(product, made.json(), types)

    def remember(
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

    def unsubscribe(self, wish: Wish) -> None:
        self.until(lambda: self.status("DELETE", path_of(wish)), lambda told: told in {204, 404})
        self.wishes[wish.id] = replace(wish, last=len(self.landed))

    def hold(self, wish: Wish, is_held: bool) -> None:
        """Suspend a subscription, or have it told of all that was held; 409 when that was done."""
        what, why = "resumption", {"held": "replay"}
        if is_held:
            what, why = "suspension", {"reason": "Asleep."}
        path = f"{path_of(wish)}/{what}"
        self.until(lambda: self.status("POST", path, why), lambda told: told in {200, 409})
        self.happened[what] += 1

    def revoke(self, product: ProductId, consumer: str) -> None:
        """End a domain's agreement; requests that were under way then may still arrive."""
        path = f"/products/{product}/agreements/{consumer}/decision"
        why = {"decision": "revoke", "reason": "It was enough."}
        self.until(lambda: self.status("POST", path, why), lambda told: told in {200, 409})
        self.happened["agreements revoked"] += 1
        self._end(product, consumer, datetime.now(UTC))

    def lend(self, product: ProductId, consumer: str, lasts: timedelta) -> None:
        """Let a domain consume a product for a while, before it subscribes.

        A day is the least that can be asked for, so the end is moved, in storage.
        """
        path = f"/products/{product}/agreements"
        asked = self.api.post(path, json={"consumer": consumer, "purpose": "For a while."})
        assert asked.status_code == 201, asked.text
        why = {"decision": "approve", "reason": "For a day.", "days": 1}
        assert self.api.post(f"{path}/{consumer}/decision", json=why).status_code == 200
        self.lent[product, consumer] = datetime.now(UTC) + lasts
        storage = self.stack.storage.ready["connection_string"]
        with TableClient.from_connection_string(storage, "record") as record:
            held = record.get_entity(product.key, f"agreement:{consumer}")
            ends = self.lent[product, consumer].isoformat()
            changed = json.dumps({**json.loads(held["json00"]), "expires_at": ends})
            record.update_entity({**held, "json00": changed})

    def expire(self, product: ProductId, consumer: str) -> None:
        """Wait until an agreement has run out, and the timer has seen it."""
        ends = self.lent.pop((product, consumer))
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()))  # it is a time
        self._end(product, consumer, ends)
        path = f"/products/{product}/agreements/{consumer}"
        self.until(partial(self._looked_at, path), lambda standing: standing == "expired")
        self.happened["agreements run out"] += 1

    def _looked_at(self, path: str) -> str:
        """Call the timer's function, which Azure does every five minutes; how it stands then."""
        called = f"{self.stack.host.ready['url']}/admin/functions/check_agreements"
        try:
            httpx.post(called, headers={"x-functions-key": KEY}, json={}, timeout=60)
            return str(self.api.get(path).json().get("standing", ""))
        except (httpx.TransportError, ValueError):
            return ""

    def _end(self, product: ProductId, consumer: str, at: datetime) -> None:
        for wish in list(self.wishes.values()):
            if (wish.partition, wish.subscriber) == (product.key, consumer):
                self.wishes[wish.id] = replace(wish, last=len(self.landed))
                self.ended[wish.id] = at + UNDER_WAY

    def count_barred(self) -> None:
        """Count what came before an agreement's end was known everywhere."""
        for name, until in self.ended.items():
            wish = self.wishes[name]
            early = sum(one.url == wish.target and one.at <= until for one in self.inboxes.told)
            self.wishes[name] = replace(wish, barred_after=early)

    def status(self, method: str, path: str, body: Mapping[str, str] | None = None) -> int:
        try:
            return self.api.request(method, path, json=body).status_code
        except httpx.TransportError:
            return 0

    @staticmethod
    def until(ask: Callable[[], T], enough: Callable[[T], bool]) -> T:
        deadline = time.monotonic() + PATIENCE_S
        while not enough(answer := ask()):
            assert time.monotonic() < deadline, f"still {answer}"
            time.sleep(0.1)
        return answer


def path_of(wish: Wish) -> str:
    domain, _, product = wish.partition.partition(".")
    return f"/products/{domain}/{product}/subscriptions/{wish.id}"
