"""Retry policies (`@app.retry`): runs again in process, as the host does for timers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from local.functions_host.host_json import parse_time_span
from local.process import LocalError

_DEFAULT_MINIMUM = timedelta(seconds=0)
_DEFAULT_MAXIMUM = timedelta(seconds=2147483647)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """`max_count` further runs after the first, -1 for no end; waits fixed or growing."""

    max_count: int
    fixed_delay: timedelta | None
    minimum: timedelta = _DEFAULT_MINIMUM
    maximum: timedelta = _DEFAULT_MAXIMUM

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], function: str) -> RetryPolicy:
        """Read what the decorator declared.

        Raises:
            LocalError: the strategy is unknown, or a count or an interval cannot be read.
        """
        where = f"Function '{function}', retry policy"
        strategy = settings.get("strategy")
        if strategy not in ("fixed_delay", "exponential_backoff"):
            raise LocalError(
                f"{where}: unknown strategy '{strategy}'; use fixed_delay or exponential_backoff."
            )
        try:
            spans = {
                key: parse_time_span(str(settings[key])) if settings.get(key) else None
                for key in ("delay_interval", "minimum_interval", "maximum_interval")
            }
            max_count = int(str(settings.get("max_retry_count")))
        except ValueError as wrong:
            raise LocalError(f"{where}: {wrong}. Write intervals as hh:mm:ss.") from None
        if strategy == "fixed_delay" and spans["delay_interval"] is None:
            raise LocalError(f"{where}: fixed_delay needs delay_interval, for example 00:00:10.")
        return cls(
            max_count=max_count,
            fixed_delay=spans["delay_interval"] if strategy == "fixed_delay" else None,
            minimum=spans["minimum_interval"] or _DEFAULT_MINIMUM,
            maximum=spans["maximum_interval"] or _DEFAULT_MAXIMUM,
        )

    def allows(self, retries_so_far: int) -> bool:
        return self.max_count < 0 or retries_so_far < self.max_count

    def delay(self, retries_so_far: int) -> timedelta:
        """How long to wait before run number `retries_so_far + 2`: doubles, with 20 % of spread."""
        if self.fixed_delay is not None:
            return self.fixed_delay
        spread = random.uniform(0.8, 1.2)  # noqa: S311 (spreads load, guards nothing)
        grown = timedelta(seconds=min(1 << min(retries_so_far, 31), 1 << 31) * spread)
        return min(max(self.minimum, grown), self.maximum)
