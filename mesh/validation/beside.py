"""Work that goes on in one thread beside the one that judges: what comes next, what is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import copy_context
from functools import partial
from typing import TypeVar

_Item = TypeVar("_Item")
_MOST = 8


def usable_processors() -> int:
    """How many processors this process may use, of those that are worth it."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        count = os.cpu_count() or 1
    return min(count, _MOST)


class Beside:
    """Does one task after the other, in their order, of which one at a time is under way.

    So no more than one task's data are held beside those of the caller. With a single processor a
    task is done at once.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._last: Future[None] | None = None

    def do(self, task: Callable[[], None]) -> None:
        """Begin a task as soon as the one before is done; raises what that one raised."""
        self.wait()
        if usable_processors() < 2:
            task()
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._last = self._thread.submit(task)

    def wait(self) -> None:
        """Until nothing is under way; raises what the last task raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def close(self) -> None:
        """Forget what is under way, once it has come to its end."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        self._thread = self._last = None


@contextmanager
def ahead(items: Generator[_Item, None, None]) -> Iterator[Iterator[_Item]]:
    """The same items, each made while the one before is looked at; one more is held for that.

    The first is begun at once.
    """
    with closing(items):
        if usable_processors() < 2:
            yield items
            return
        following = partial(copy_context().run, next, items, None)
        with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
            yield _each(following, thread, thread.submit(following))


def _each(
    following: Callable[[], _Item | None],
    thread: ThreadPoolExecutor,
    first: Future[_Item | None],
) -> Iterator[_Item]:
    under_way = first
    while (item := under_way.result()) is not None:
        under_way = thread.submit(following)
        yield item
