"""What makes functions run: one module for each kind of trigger."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Listener(Protocol):
    """What feeds one function that is not called by HTTP."""

    async def run(self, stop: asyncio.Event) -> None:
        """Feed it until `stop` is set, then wait for what is running."""

    async def close(self) -> None:
        """Give up what still runs."""

    async def trigger_once(self, text: str, reason: str) -> None:
        """Run the function for an input given by hand."""
