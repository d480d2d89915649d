"""A file that ends the worker which judges it is not handed to one worker after the other for ever.

Nobody tells how an earlier attempt at a message ended; its delivery count only says that there was
one. So from the second delivery on, an attempt is put on record before it begins. An attempt that
fails by itself is taken off again; one that is still on record was the last thing its worker did.
A first delivery, which is nearly every one, costs nothing.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

from mesh.backbone import Backbone
from mesh.errors import Unavailable
from mesh.model.judgement import Judgement
from mesh.model.names import ProductId
from mesh.model.record import Suspicion

MOST_DEATHS = 2
"""Workers that a file may end before it is refused unread."""

_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    """What this process knows of itself.

    Attributes:
        alone: held while a suspect is judged: the death of a worker is put on one of them only.
        failed: drops whose last attempt here failed by itself, so that nobody died of them.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    alone: threading.Lock = field(default_factory=threading.Lock)
    failed: dict[str, None] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _process() -> _Process:
    return _Process()


def judge_with_care(
    backbone: Backbone,
    product: ProductId,
    drop: str,
    judge: Callable[[], Judgement],
    *,
    delivery: int,
) -> Judgement | None:
    """Judge a file, unless that has ended `MOST_DEATHS` workers; None then.

    Args:
        delivery: how often the message was handed out; 1 for the first time.
    """
    if delivery <= 1:
        return _attempt(backbone, product, drop, judge, deaths=0)
    with _process().alone:
        deaths = _deaths(backbone, product, drop)
        if deaths >= MOST_DEATHS:
            return None
        running = Suspicion(drop=drop, deaths=deaths, running_in=_process().id)
        backbone.registry.suspect(product, running)
        return _attempt(backbone, product, drop, judge, deaths=deaths)


def _attempt(
    backbone: Backbone,
    product: ProductId,
    drop: str,
    judge: Callable[[], Judgement],
    *,
    deaths: int,
) -> Judgement:
    """Judge, and note it when that fails by itself: what fails lives."""
    try:
        return judge()
    except Exception:
        failed = _process().failed
        failed[drop] = None
        if len(failed) > _REMEMBERED:
            failed.pop(next(iter(failed)), None)
        with suppress(Unavailable):  # what this process remembers must do then
            backbone.registry.suspect(product, Suspicion(drop=drop, deaths=deaths, running_in=""))
        raise


def _deaths(backbone: Backbone, product: ProductId, drop: str) -> int:
    """How many attempts at a drop have ended a worker."""
    known = backbone.registry.suspicion(product, drop)
    here = _process()
    has_failed_here = drop in here.failed
    here.failed.pop(drop, None)
    if known is None:
        return 0 if has_failed_here else 1  # there was an attempt, and nobody tells how it ended
    is_running_elsewhere = known.running_in not in {"", here.id}
    return known.deaths + is_running_elsewhere
