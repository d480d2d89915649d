"""A file that ends the worker which judges it is not handed to one worker after the other for ever.

Nobody tells how an earlier attempt at a message ended; its delivery count only says that there was
one. So from the second delivery on, an attempt is put on record before the file is judged. One that
fails by itself is taken off again; one that is still on record was the last thing its worker did.
A first delivery, which is nearly every one, costs nothing.
"""

from __future__ import annotations

import threading
import uuid
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
        failed: drops whose last attempt here failed by itself, so that nobody died of them.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    alone: threading.Lock = field(default_factory=threading.Lock)
    failed: dict[str, None] = field(default_factory=dict)


_BIRTH = threading.Lock()
"""`lru_cache` lets threads that come first at the same time each make one of their own."""


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
        with _BIRTH:
            self._process = _process()
        self._product = product
        self._drop = drop
        self.is_first = delivery <= 1
        self._is_alone = False
        self._deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, failure: BaseException | None, __: object) -> None:
        try:
            if isinstance(failure, Exception):
                self._fail()
            elif failure is None and not self.is_first:
                self._registry.acquit(self._product, self._drop)
        finally:
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
        self._deaths = self._count_deaths()
        if self._deaths < MOST_DEATHS:
            self._note(running_in=self._process.id)
        return self._deaths < MOST_DEATHS

    def _count_deaths(self) -> int:
        known = self._registry.suspicion(self._product, self._drop)
        here = self._process
        has_failed_here = self._drop in here.failed
        here.failed.pop(self._drop, None)
        if known is None:
            return 0 if has_failed_here else 1  # there was an attempt; nobody tells how it ended
        is_unsettled = known.running_in not in {"", here.id}
        return known.deaths + is_unsettled

    def _fail(self) -> None:
        """Note that this attempt failed by itself: who fails lives."""
        failed = self._process.failed
        failed[self._drop] = None
        if len(failed) > _REMEMBERED:
            failed.pop(next(iter(failed)), None)
        if self.is_first or self._is_alone:
            with suppress(Unavailable):  # what this process remembers must do then
                self._note(running_in="")

    def _note(self, *, running_in: str) -> None:
        noted = Suspicion(drop=self._drop, deaths=self._deaths, running_in=running_in)
        self._registry.suspect(self._product, noted)
