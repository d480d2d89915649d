"""How many calls somebody may make: a token bucket each."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """So many calls a minute in the long run, and so many at once."""

    per_minute: int = 3000
    burst: int = 500


class Buckets:
    """One bucket per caller, in the memory of one instance: each instance counts for itself."""

    MOST = 10_000
    """Callers remembered; when there are more, those whose bucket is full are forgotten."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, caller: str, now: float) -> int:
        """Take one call from a caller's bucket; returns the seconds to wait when it is empty.

        Args:
            now: seconds of a clock that only goes forward.
        """
        per_second = self._rate.per_minute / 60
        with self._lock:
            if len(self._buckets) >= self.MOST:
                self._forget(now)
            left, at = self._buckets.get(caller, (float(self._rate.burst), now))
            left = min(float(self._rate.burst), left + max(now - at, 0) * per_second)
            if left < 1:
                self._buckets[caller] = (left, now)
                return max(1, math.ceil((1 - left) / per_second))
            self._buckets[caller] = (left - 1, now)
            return 0

    def _forget(self, now: float) -> None:
        full = self._rate.burst / (self._rate.per_minute / 60)
        self._buckets = {
            caller: (left, at) for caller, (left, at) in self._buckets.items() if now - at < full
        }
