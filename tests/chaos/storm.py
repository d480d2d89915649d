"""Kill this, freeze that, let calls fail, until it is over."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

from tests.chaos.faults import Proxy
from tests.chaos.processes import Part, Stack

FROZEN_S = 1.0


class Storm:
    """What befalls the parts while the block runs; afterwards all of them run."""

    def __init__(
        self, stack: Stack, proxy: Proxy, chance: random.Random, happened: Counter[str]
    ) -> None:
        self._stack = stack
        self._proxy = proxy
        self._chance = chance
        self._happened = happened
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._rage)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._proxy.rate = 0.0
        if self._failure is not None:
            raise self._failure

    def _rage(self) -> None:
        stack = self._stack
        strikes: tuple[tuple[Callable[[Part], None], Part], ...] = (
            (self._kill, stack.host),
            (self._kill, stack.host),
            (self._kill, stack.bus),
            (self._kill, stack.grid),
            (self._restart, stack.storage),
            (self._freeze, stack.bus),
            (self._freeze, stack.host),
        )
        try:
            while not self._over.wait(self._chance.uniform(0.5, 3)):
                self._proxy.rate = self._chance.choice((0.0, 0.02, 0.1))
                strike, part = self._chance.choice(strikes)
                strike(part)
        except BaseException as failure:  # noqa: BLE001 - raised in the thread that waits for it
            self._failure = failure

    def _kill(self, part: Part) -> None:
        self._happened[f"kill {part.module}"] += 1
        part.kill()
        part.start()

    def _restart(self, part: Part) -> None:
        self._happened[f"restart {part.module}"] += 1
        part.stop()
        part.start()

    def _freeze(self, part: Part) -> None:
        self._happened[f"freeze {part.module}"] += 1
        part.freeze()
        time.sleep(FROZEN_S)  # that long nothing of it moves
        part.thaw()
