"""Change a product's record while others change it too."""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections.abc import Callable

from mesh.backbone import Backbone
from mesh.errors import Conflict
from mesh.model.names import ProductId
from mesh.model.record import Commit, Head

ATTEMPTS = 50
"""Each attempt fails only because another writer got through, so all of 50 writers do."""

LONGEST_PAUSE_S = 0.2

_TURNS = tuple(threading.RLock() for _ in range(64))
"""Threads of one process take turns on a product: it costs less than losing to each other."""


def commit(
    backbone: Backbone,
    product: ProductId,
    decide: Callable[[Head], Commit | None],
    *,
    first: Head | None = None,
) -> Commit | None:
    """Read the head, decide, commit; again from the start when another writer was faster.

    Args:
        decide: makes the change from the head as it is now; None when there is nothing to change.
        first: the head, when it has just been read.

    Returns:
        What was committed; None when `decide` had nothing.

    Raises:
        Conflict: other writers were faster every time.
    """
    turn = _TURNS[zlib.crc32(product.key.encode()) % len(_TURNS)]
    if not turn.acquire(blocking=False):
        turn.acquire()
        first = None  # somebody has just changed it
    try:
        return _commit(backbone, product, decide, first)
    finally:
        turn.release()


def _commit(
    backbone: Backbone,
    product: ProductId,
    decide: Callable[[Head], Commit | None],
    first: Head | None,
) -> Commit | None:
    for attempt in range(ATTEMPTS):
        head = first if first is not None and attempt == 0 else backbone.registry.head(product)
        change = decide(head)
        if change is None:
            return None
        try:
            backbone.registry.commit(change)
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
            pause = min(LONGEST_PAUSE_S, 0.005 * 2**attempt)
            time.sleep(random.uniform(0, pause))  # noqa: S311 - it spreads load
        else:
            return change
    raise AssertionError  # the loop returns or raises
