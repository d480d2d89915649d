"""Ask again until something is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from cli.failures import ExitCode, Failed

SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

Found = TypeVar("Found")


def wait_for(
    ask: Callable[[], Found | None], *, timeout_s: float, what: str, instead: str
) -> Found:
    """The first answer of `ask` that is not None; pauses between questions grow to a second.

    Args:
        what: is waited for, for the message: `a verdict on runways.csv`.
        instead: what the user can do when it did not come.

    Raises:
        Failed: there was none in time.
    """
    deadline = time.monotonic() + timeout_s
    pause = SHORTEST_PAUSE_S
    while True:
        found = ask()
        if found is not None:
            return found
        left = deadline - time.monotonic()
        if left <= 0:
            message = f"There was no {what} within {timeout_s:g} s. {instead}"
            raise Failed(message, problem="timeout", code=ExitCode.UNAVAILABLE)
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_S)
