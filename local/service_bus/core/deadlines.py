"""Times at which things are due: a heap whose entries can be taken back."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", int, str, bytes)


class Deadlines(Generic[Key]):
    """Keys, each with the time when it is due.

    Taking back is cheap: the heap keeps dead entries, and is rebuilt when most are dead, so
    that its size stays proportional to what is pending.
    """

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: Key) -> bool:
        return key in self._due

    def set(self, key: Key, when: float) -> None:
        """Make `key` due at `when`, and at no other time."""
        self._due[key] = when
        heapq.heappush(self._heap, (when, key))
        if len(self._heap) > 64 + 2 * len(self._due):
            self._heap = [(due, pending) for pending, due in self._due.items()]
            heapq.heapify(self._heap)

    def discard(self, key: Key) -> None:
        """Take `key` back, if it is pending."""
        self._due.pop(key, None)

    def next(self) -> float | None:
        """Give the earliest time, or None when nothing is pending."""
        heap, due = self._heap, self._due
        while heap:
            when, key = heap[0]
            if due.get(key) == when:
                return when
            heapq.heappop(heap)
        return None

    def pop_due(self, now: float) -> Iterator[Key]:
        """Give the keys that are due at `now`, earliest first, and forget them."""
        while (when := self.next()) is not None and when <= now:
            key = heapq.heappop(self._heap)[1]
            del self._due[key]
            yield key
