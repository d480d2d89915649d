"""Workers in threads that take turns, effect by effect, as if each was a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mesh import committing, contracts, suspects
from tests.chaos.effects import Fate


class Turns:
    """Workers that take turns, effect by effect, as `choose` says.

    Args:
        choose: which of the workers (by number) that are not done goes on.
    """

    def __init__(self, choose: Callable[[Sequence[int]], int]) -> None:
        self._choose = choose
        self._go: list[threading.Semaphore] = []
        self._back = threading.Semaphore(0)

    def run(self, jobs: Sequence[Callable[[Fate], object]]) -> None:
        """Run all jobs to their ends; each gets the fate to live by."""
        self._go = [threading.Semaphore(0) for _ in jobs]
        done = [False] * len(jobs)
        failures: list[BaseException] = []

        def work(number: int, job: Callable[[Fate], object]) -> None:
            self._go[number].acquire()
            try:
                job(lambda *_: self._pass(number))
            except BaseException as failure:  # noqa: BLE001 - raised below, where it is seen
                failures.append(failure)
            finally:
                done[number] = True
                self._back.release()

        threads = [
            threading.Thread(target=work, args=(number, job)) for number, job in enumerate(jobs)
        ]
        for thread in threads:
            thread.start()
        while waiting := [number for number, is_done in enumerate(done) if not is_done]:
            self._go[self._choose(waiting)].release()
            assert self._back.acquire(timeout=30), "a worker waits for another that waits for it"
        for thread in threads:
            thread.join()
        for failure in failures:
            raise failure

    def _pass(self, number: int) -> str:
        self._back.release()
        self._go[number].acquire()
        return "live"


class _NoLock:
    """Two processes share no lock."""

    def acquire(self, **_: object) -> bool:
        return True

    def release(self) -> None:
        """Nothing was taken."""


@contextmanager
def separate_processes(*, keep_plans: bool = False) -> Iterator[None]:
    """Let workers in threads of one process behave as if each was a process of its own."""
    before = committing._TURNS, suspects._process
    committing._TURNS = tuple(_NoLock() for _ in before[0])
    suspects._process = suspects._Process
    if not keep_plans:
        contracts._plan.cache_clear()
    try:
        yield
    finally:
        committing._TURNS, suspects._process = before
