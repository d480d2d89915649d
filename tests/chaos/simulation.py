"""A random history in memory, from a seed: files, duplicates, versions, kills, faults, disorder."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from mesh.model.names import ProductId
from mesh.model.subscription import Channel, Filter, Route
from tests.chaos.broker import Waiting
from tests.chaos.effects import Fate
from tests.chaos.evidence import Wish
from tests.chaos.files import MOST_BAD, some_file
from tests.chaos.turns import Turns, separate_processes
from tests.chaos.weather import CALM, Weather
from tests.chaos.world import World
from tests.unit.conftest import contract, declaration

OBJECT = "countries"
QUARANTINED = frozenset({"mesh.file.quarantined.v1"})
UPDATED = frozenset({"mesh.product.updated.v1"})
SPLIT = {
    "customProperties": [
        {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": MOST_BAD}}
    ]
}
DESTINATIONS = {
    Channel.EVENT_GRID: "https://topic{}.westeurope-1.eventgrid.azure.net/api/events",
    Channel.SERVICE_BUS: "bus{}.servicebus.windows.net/events",
    Channel.INBOX: "https://inbox{}.blob.core.windows.net/events",
}
MOOD_SWINGS = {
    "steady": ("204",),
    "moody": ("204", "204", "500", "429", "lost"),
    "broken": ("500", "500", "lost", "204"),
    "leaving": ("204", "204", "410"),
    "slow": ("204", "slow", "slow"),
}


@dataclass(kw_only=True)
class Simulation:
    """One history.

    Attributes:
        happened: what did, for the report.
    """

    seed: int
    files: int
    world: World = field(default_factory=World)
    happened: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.weather = Weather.of(self.chance)
        self.products = [ProductId(domain=f"d{n}", product="countries") for n in range(3)]
        self.composite = ProductId(domain="atlas", product="sheet")
        self._events: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def run(self) -> list[str]:
        """Live the history; returns every way in which the promise is broken."""
        random.seed(self.seed)  # the mesh draws jitter from it
        with ExitStack() as stack:
            stack.enter_context(self.world.running())
            self.world.asides.fate = self._aside
            self._begin()
            left = self.files
            while left:
                left -= self._step()
            self._calm_down()
        self.happened["files"] = len(self.world.landed)
        self.happened["deaths"] = self.world.died
        return self.world.broken()

    def _begin(self) -> None:
        """Two of three products, a composite, and their subscribers."""
        for number, product in enumerate(self.products[:2]):
            self._onboard(product, split=number == 1)
        self.world.settle()
        inputs = (("input", f"urn:mesh:{self.products[0]}:{OBJECT}".replace("/", ":")),)
        sheet = declaration(
            self.composite,
            contract(self.composite, object_name="sheet"),
            ports=(("sheet", "1.0.0"),),
            inputs=inputs,
        )
        self.world.onboard(sheet, self.composite)
        self.world.settle()
        for product in self.products[:2]:
            self._subscribers(product)
        self._subscribe(self.composite, "steady")
        self._subscribe(ProductId(domain="aviation", product="subscriptions"), "moody")

    def _onboard(self, product: ProductId, *, split: bool) -> None:
        files = declaration(product, contract(product, more=SPLIT if split else None))
        self.world.onboard(files, product, self._fate)

    def _subscribers(self, product: ProductId) -> None:
        for mood in MOOD_SWINGS:
            self._subscribe(product, mood)
        self._subscribe(product, "moody", Filter(types=QUARANTINED))
        for channel in DESTINATIONS:
            self._deliver_to(product, channel)
        for mood in ("moody", "broken", "leaving"):
            self._subscribe(product, mood, ordered=True)
        self.world.subscribe(product, None, subscriber="shipping", fate=self._fate)
        for mood in ("steady", "moody", "broken"):
            self._subscribe(product, mood, subscriber="transit")
        self.world.subscribe(product, None, subscriber="transit", fate=self._fate)
        only = Filter(types=UPDATED, objects=frozenset({OBJECT}))
        self.world.subscribe(product, None, subscriber="press", wanted=only, fate=self._fate)

    def _subscribe(
        self,
        product: ProductId,
        mood: str,
        wanted: Filter | None = None,
        *,
        ordered: bool = False,
        subscriber: str = "aviation",
    ) -> Wish:
        url = f"https://{mood}-{next(self._numbers)}.example/hook"
        answers = MOOD_SWINGS[mood]
        self.world.receivers.moods[url] = partial(self._mood, answers)
        route = Route(channel=Channel.PUSH, target=url, ordered=ordered)
        return self.world.subscribe(
            product, None, subscriber=subscriber, wanted=wanted, route=route, fate=self._fate
        )

    def _deliver_to(self, product: ProductId, channel: Channel) -> Wish:
        """A destination has moods too, but it does not leave."""
        target = DESTINATIONS[channel].format(next(self._numbers))
        self.world.receivers.moods[target] = partial(self._mood, MOOD_SWINGS["moody"])
        route = Route(channel=channel, target=target)
        return self.world.subscribe(product, None, route=route, fate=self._fate)

    def _aside(self) -> Literal["stays", "goes", "ends"]:
        if self.chance.random() >= self.weather.aside:
            return "stays"
        self.happened["aside"] += 1
        return "ends" if self.chance.random() < 1 / 3 else "goes"

    def _mood(self, answers: tuple[str, ...]) -> str:
        return self.chance.choice(answers)

    def _step(self) -> int:
        """Do the next thing; returns how many files that dropped."""
        steps: tuple[tuple[Callable[[], object], int], ...] = (
            (self._drop, 30),
            (self._duplicate, 6),
            (self._work, 120),
            (self._wait, 4),
            (partial(self.world.relay, self._fate), 2),
            (self._come_and_go, 1),
            (self._end_agreement, 3),
        )
        if self.chance.random() < self.weather.skew:
            self.world.skew = timedelta(minutes=self.chance.randint(-120, 120))
            self.happened["clock jumps"] += 1
        [step] = self.chance.choices([step for step, _ in steps], [weight for _, weight in steps])
        return step() is True

    def _drop(self) -> bool:
        product = self.chance.choice(self.products)
        name = f"{product}/v1/{OBJECT}/{self.chance.randint(1, max(3, self.files // 4))}.csv"
        misplaced = self.chance.random() < 0.05
        if misplaced:
            name = self.chance.choice(
                (f"{product}/v1/rivers/all.csv", f"{product}/v2/{OBJECT}/all.csv", "all.csv")
            )
        self._events.append(self.world.drop(name, some_file(self.chance), misplaced=misplaced))
        return True

    def _duplicate(self) -> None:
        if self._events:
            self.happened["duplicates"] += 1
            event = self.chance.choice(self._events)
            self.world.tell(event, f"again-{next(self._numbers)}")

    def _wait(self) -> None:
        self.world.at += timedelta(seconds=self.chance.choice((1, 5, 60, 3600)))

    def _come_and_go(self) -> None:
        """A subscriber leaves, another comes; the third product is onboarded, and one changes."""
        wishes = [w for w in self.world.wishes.values() if w.last is None and "atlas" not in w.id]
        if self.chance.random() < 0.3:
            self.world.unsubscribe(self.chance.choice(wishes), self._fate)
            self.happened["unsubscribed"] += 1
            return
        late = self.products[2]
        if self.world.inner.registry.head(late).product is None:
            self._onboard(late, split=False)
        else:
            self._subscribe(self.chance.choice(self.products), "moody")
            self.happened["subscribed"] += 1

    def _end_agreement(self) -> None:
        """The domain `transit` may not consume one of the products any more."""
        still = {w.partition for w in self.world.wishes.values() if w.subscriber == "transit"}
        still -= {w.partition for w in self.world.wishes.values() if w.barred_after is not None}
        open_ = [product for product in self.products if product.key in still]
        if open_:
            end = self.chance.choice((self.world.revoke, self.world.expire))
            end(self.chance.choice(open_), "transit", self._fate)
            self.happened["agreements ended"] += 1

    def _work(self) -> None:
        """Hand out a message, or several at once, in any order."""
        ready = self.world.broker.ready()
        if not ready:
            self._wait()
        elif len(ready) > 1 and self.chance.random() < self.weather.crowd:
            self._work_together(self.chance.sample(ready, min(len(ready), 3)))
        else:
            self.world.run(self.chance.choice(ready), self._fate)

    def _work_together(self, messages: list[Waiting]) -> None:
        """Several workers take turns; when their process dies, all of them do."""
        self.happened["worked together"] += 1
        dies_at = self.chance.randint(1, 60) if self.chance.random() < self.weather.kill * 5 else 0
        effects = itertools.count(1)

        def fate_with(turn: Fate, number: int, name: str) -> str:
            turn(number, name)
            if dies_at and next(effects) >= dies_at:
                return "kill"
            return self._fate(number, name)

        def job(message: Waiting, turn: Fate) -> None:
            self.world.run(message, partial(fate_with, turn))

        with separate_processes(keep_plans=True):
            Turns(self.chance.choice).run([partial(job, message) for message in messages])

    def _fate(self, _number: int, name: str) -> str:
        drawn = self.chance.random()
        for fate, rate in self._rates():
            if drawn < rate:
                if fate == "twice" and not name.startswith("before"):
                    return "live"
                self.happened[fate] += 1
                return fate
            drawn -= rate
        return "live"

    def _rates(self) -> Iterator[tuple[str, float]]:
        yield "kill", self.weather.kill
        yield "fail", self.weather.fail
        yield "twice", self.weather.twice

    def _calm_down(self) -> None:
        """Nothing goes wrong any more; receivers mend, and who was not told any more is again."""
        self.world.skew = timedelta()
        if self.world.inner.registry.head(self.products[2]).product is None:
            self._onboard(self.products[2], split=False)
        stormy, self.weather = self.weather, CALM
        self._rest()
        self.world.receivers.moods.clear()
        self.weather = stormy
        for wish in self.world.resumable():
            self.happened["resumed"] += 1
            self.world.resume(wish, self._fate)
        self.weather = CALM
        self._rest()

    def _rest(self) -> None:
        """What was dead-lettered is sent again, as operators do."""
        self.world.rest()
        while self.world.broker.dead:
            self.happened["dead letters"] += len(self.world.broker.dead)
            self.world.broker.resubmit()
            self.world.rest()
