"""A file that ends the worker which judges it is not handed to one worker after the other for ever.

A message is handed to one worker at a time, and each time is an attempt. What became of it is told
by that attempt alone, in a row of its own. From the second delivery on it puts down that it has
begun, before the file is judged; when it fails by itself it puts that down, and does not end before
it could. So an attempt that is not known to have failed was the last thing its worker did. Nobody
writes another's row, and attempts for other messages are not asked about: they may be under way. A
first delivery, which is nearly every one, costs nothing: it has begun without a row.

A file ends at most `MOST_DEATHS` workers for one message, whatever fails and whenever a lock is
lost; and none is refused without as many misfortunes: workers that ended while they had the message
or what cannot be told from that, which is a worker that lives and has lost its lock, or was refused
by the record for as long as it tried while the next one was not. One limit: an attempt that looks
for rows, or a verdict, at the moment before another makes one goes by that.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self

from mesh.backbone import Backbone
from mesh.errors import Unavailable
from mesh.model.names import ProductId
from mesh.model.record import Suspicion

MOST_DEATHS = 2
"""Workers that a file may end before it is refused unread."""

_TRIES = 8
"""How often an attempt tries to put down that it failed; the SDK waits, and tries, in each."""

_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """What this process knows of itself.

    Attributes:
        alone: held while a suspect is judged: the death of a worker is put on one of them only.
        made: attempts that were begun here. This process lives, so nobody died of them.
    """

    alone: threading.Lock = field(default_factory=threading.Lock)
    made: OrderedDict[tuple[str, str, int], None] = field(default_factory=OrderedDict)

    def remember(self, attempt: tuple[str, str, int]) -> None:
        self.made[attempt] = None
        if len(self.made) > _REMEMBERED:
            with suppress(KeyError):  # other threads forget, too
                self.made.popitem(last=False)


_MEMORY = threading.Lock()
"""Held while threads make what remembers their attempts: each would make its own."""


@lru_cache(maxsize=1)
def _process() -> _Process:
    return _Process()


class Attempt:
    """An attempt at one delivery of the message about a drop, from its beginning to its end.

    Args:
        message: names it, and no other.
        delivery: how often it was handed out; 1 for the first time.

    Attributes:
        is_first: whether it is that first time.
    """

    def __init__(
        self, backbone: Backbone, product: ProductId, drop: str, *, message: str, delivery: int
    ) -> None:
        self._registry = backbone.registry
        self._product = product
        self._begun = Suspicion(drop=drop, message=message, delivery=delivery, failed=False)
        self.is_first = delivery <= 1
        self._is_alone = False
        self._is_suspected = self.is_first
        """Whether others will take it for begun: it is the first, or may have put that down."""

    def __enter__(self) -> Self:
        with _MEMORY:
            self._process = _process()
            self._process.remember(self._begun.key)
        return self

    def __exit__(self, _: object, failure: BaseException | None, __: object) -> None:
        try:
            if isinstance(failure, Exception) and self._is_suspected:
                self._fail()
            elif failure is None and not self.is_first:
                self._registry.acquit(self._product, self._begun.drop, self._begun.message)
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
        if self._deaths() >= MOST_DEATHS:
            return False
        self._is_suspected = True
        self._registry.suspect(self._product, self._begun)
        return True

    def _deaths(self) -> int:
        """Workers that ended at an earlier delivery of this message."""
        mine = self._begun
        known = self._registry.suspicions(self._product, mine.drop, mine.message)
        begun = {attempt.key for attempt in known if not attempt.failed}
        first = replace(mine, delivery=1)
        if first.key not in {attempt.key for attempt in known}:
            begun.add(first.key)
        return len(begun - {mine.key} - self._process.made.keys())

    def _fail(self) -> None:
        """Put down that this attempt failed by itself: who fails lives.

        When the record cannot be written for so long, what this process remembers must do.
        """
        failed = replace(self._begun, failed=True)
        for _ in range(_TRIES):
            with suppress(Unavailable):
                self._registry.suspect(self._product, failed)
                return
