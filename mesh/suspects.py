"""A file that ends the worker which judges it is not handed to one worker after the other for ever.

Nobody tells how an earlier attempt at a message ended; its delivery count only says that there was
one. So from the second delivery on, an attempt is put on record before the file is judged. One that
fails by itself is taken off again; one that is still on record was the last thing its worker did.
A first delivery, which is nearly every one, costs nothing.

A file ends at most `MOST_DEATHS` workers for one message, whatever fails and whenever a lock is
lost. What cannot be known is counted as a death: that the first delivery was handed to a worker
which ended before it began, or failed in another one while the record was away; that another worker
still lives which lost its lock. So who is refused had two such misfortunes, and not always two
deaths. Two limits: each further message about the same version judges it once without asking; and
an attempt that looks for a note, or a verdict, at the moment before another makes one goes by that.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from mesh.backbone import Backbone
from mesh.errors import Unavailable
from mesh.model.names import ProductId
from mesh.model.record import Suspicion

MOST_DEATHS = 2
"""Workers that a file may end before it is refused unread."""

_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """What this process knows of itself.

    Attributes:
        alone: held while a suspect is judged: the death of a worker is put on one of them only.
        deaths: workers that a drop had ended when it was last attempted here. This process lives,
            so nobody died of that attempt.
        running: attempts here that have not ended, by drop; a lost lock makes it two.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    alone: threading.Lock = field(default_factory=threading.Lock)
    deaths: OrderedDict[str, int] = field(default_factory=OrderedDict)
    running: Counter[str] = field(default_factory=Counter)

    def remember(self, drop: str, deaths: int) -> None:
        self.deaths[drop] = deaths
        if len(self.deaths) > _REMEMBERED:
            with suppress(KeyError):  # other threads forget, too
                self.deaths.popitem(last=False)


_MEMORY = threading.Lock()
"""Held while threads count their attempts, or make what remembers them: each would make its own."""


@lru_cache(maxsize=1)
def _process() -> _Process:
    return _Process()


class Attempt:
    """An attempt at one delivery of the message about a drop, from its beginning to its end.

    Args:
        delivery: how often the message was handed out; 1 for the first time.

    Attributes:
        is_first: whether it is that first time.
    """

    def __init__(self, backbone: Backbone, product: ProductId, drop: str, *, delivery: int) -> None:
        self._registry = backbone.registry
        self._product = product
        self._drop = drop
        self.is_first = delivery <= 1
        self._is_alone = False
        self._deaths: int | None = None
        """Workers that the file had ended before; None for as long as that is not known."""
        self._own: tuple[Suspicion | None, ...] = (None,)
        """What is on record if nobody else was at it: what was read there, and noted."""

    def __enter__(self) -> Self:
        with _MEMORY:
            self._process = _process()
            self._process.running[self._drop] += 1
        if self.is_first:
            self._know(0)
        return self

    def __exit__(self, _: object, failure: BaseException | None, __: object) -> None:
        try:
            if isinstance(failure, Exception):
                self._fail()
            elif failure is None:
                self._process.deaths.pop(self._drop, None)
                if not self.is_first:
                    self._registry.acquit(self._product, self._drop)
        finally:
            self._leave()
            if self._is_alone:
                self._process.alone.release()

    def may_judge(self) -> bool:
        """Whether the file may be judged; False when that has ended `MOST_DEATHS` workers.

        Called at a further delivery, it waits until no other suspect is judged in this process.
        """
        if self.is_first:
            return True
        self._process.alone.acquire()
        self._is_alone = True
        known = self._registry.suspicion(self._product, self._drop)
        deaths = self._count_deaths(known)
        self._know(deaths)
        mine = Suspicion(drop=self._drop, deaths=deaths, running_in=self._process.id)
        self._own = (known, mine)
        if deaths < MOST_DEATHS:
            self._registry.suspect(self._product, mine)
        return deaths < MOST_DEATHS

    def _count_deaths(self, known: Suspicion | None) -> int:
        if known is None:  # there was an attempt; nobody else tells how it ended
            return self._process.deaths.get(self._drop, 1)
        is_unsettled = known.running_in not in {"", self._process.id}
        return known.deaths + is_unsettled

    def _know(self, deaths: int) -> None:
        self._deaths = deaths
        self._process.remember(self._drop, deaths)

    def _fail(self) -> None:
        """Note that this attempt failed by itself: who fails lives.

        Nothing is noted by an attempt that never learnt how many had died, nor over the note of
        somebody else. If the same file is attempted here a second time, that one may yet die.
        """
        if self._deaths is None:
            return
        others = self._process.running[self._drop] > 1
        failed = Suspicion(
            drop=self._drop, deaths=self._deaths, running_in=self._process.id if others else ""
        )
        with suppress(Unavailable):  # what this process remembers must do then
            if self._registry.suspicion(self._product, self._drop) in self._own:
                self._registry.suspect(self._product, failed)

    def _leave(self) -> None:
        with _MEMORY:
            self._process.running[self._drop] -= 1
            if not self._process.running[self._drop]:
                del self._process.running[self._drop]
