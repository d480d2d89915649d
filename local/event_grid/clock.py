"""The clock of Event Grid: the real one, and one that tests drive by hand.

Everything that waits (retries, time to live, dead letters, handshakes) waits on a `Clock`, so that
a day of retries can pass in milliseconds. What takes real time, such as an HTTP exchange, is
announced with `begin` and `end`: a `ManualClock` moves on only when nothing of that is under way.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Timer(Protocol):
    """A call in the future that can still be cancelled."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time as Event Grid sees it, in seconds since 1970."""

    def now(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer: ...

    async def sleep_until(self, when: float) -> None: ...

    def begin(self) -> None:
        """Work that takes real time has begun."""

    def end(self) -> None:
        """Work announced with `begin` is done, and what follows from it is scheduled."""


class SystemClock:
    """The wall clock."""

    def now(self) -> float:
        return time.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(max(0.0, when - time.time()), callback)

    async def sleep_until(self, when: float) -> None:
        await asyncio.sleep(max(0.0, when - time.time()))

    def begin(self) -> None:
        pass

    def end(self) -> None:
        pass


class ManualClock:
    """A clock that stands still until `advance` moves it, timer by timer."""

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []
        self._busy = 0
        self._idle = asyncio.Event()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = _ManualTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def sleep_until(self, when: float) -> None:
        woken = asyncio.get_running_loop().create_future()

        def _wake() -> None:
            if not woken.done():
                self.begin()
                woken.set_result(None)

        timer = self.call_at(when, _wake)
        try:
            await woken
        finally:
            timer.cancel()
            if woken.done() and not woken.cancelled():
                self.end()

    def begin(self) -> None:
        self._busy += 1
        self._idle.clear()

    def end(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._idle.set()

    async def settled(self) -> None:
        """Wait until all work that takes real time is done; no timer fires meanwhile."""
        while self._busy:
            await self._idle.wait()

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: each timer fires at its moment, and its work ends before the next."""
        target = self._now + seconds
        await self.settled()
        while self._timers and self._timers[0][0] <= target:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            timer.fire()
            await self.settled()
        self._now = target


class _ManualTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def fire(self) -> None:
        if self._callback is not None:
            self._callback()

    def cancel(self) -> None:
        self._callback = None


def timestamp(seconds: float) -> str:
    """`seconds` since 1970 as RFC 3339 in UTC, as Event Grid writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
