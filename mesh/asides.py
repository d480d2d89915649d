"""Wait for receivers aside, when all who wait are in the way of others.

A function works on `PLACES` messages at a time. Receivers that take a connection and say nothing
could hold all of them, each for its limit. So when all places have to wait, those who have waited
for a moment go on in a thread of their own, and their places are free for the next.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TypeVar

PLACES = 8
"""Messages that a function works on at a time: `maxConcurrentCalls` of `host.json`."""

MOMENT_S = 0.25
"""How long a message keeps its place, when others have none."""

MOST = 128
"""Threads that wait aside; each costs some 100 KB. Beyond that, places are waited in again."""

LANES = 2

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Asides:
    """`mesh.ports.Asides` in threads."""

    def __init__(self, *, places: int = PLACES, moment_s: float = MOMENT_S, most: int = MOST):
        self._places = places
        self._moment_s = moment_s
        self._most = most
        self._waiting: Counter[str] = Counter()
        self._aside = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(LANES * places + most, thread_name_prefix="aside")

    def run(
        self, lane: str, work: Callable[[], _Result], leave: Callable[[], None]
    ) -> _Result | None:
        with self._lock:
            self._waiting[lane] += 1
        try:
            done = self._pool.submit(copy_context().run, work)
            while not wait([done], self._moment_s).done:
                if self._goes_aside(lane, done):
                    try:
                        leave()
                    except Exception:  # noqa: BLE001 - whatever it is, its place is still there
                        break
                    return None
            return done.result()
        finally:
            with self._lock:
                self._waiting[lane] -= 1

    def close(self) -> None:
        """Wait until all are done; nothing can be run afterwards."""
        self._pool.shutdown()

    def _goes_aside(self, lane: str, done: Future[_Result]) -> bool:
        """Whether somebody needs the place, and there is room aside."""
        with self._lock:
            if self._waiting[lane] < self._places or self._aside >= self._most:
                return False
            self._aside += 1
        done.add_done_callback(self._came_back)
        return True

    def _came_back(self, done: Future[_Result]) -> None:
        with self._lock:
            self._aside -= 1
        if (failure := done.exception()) is not None:
            # What was left behind does the work again.
            _log.warning("what went on aside failed: %s", type(failure).__name__)
