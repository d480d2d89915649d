"""Whatever fails, dies or loses its lock, a deadly file ends two workers, and others are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mesh import suspects
from mesh.backbone import in_memory
from mesh.errors import Unavailable
from mesh.memory.registry import Registry
from mesh.model.names import ProductId
from mesh.model.record import Suspicion
from mesh.suspects import MOST_DEATHS, Attempt
from tests.thorough import examples

T = TypeVar("T")
PRODUCT = ProductId(domain="geography", product="countries")
DROP = "a-drop"
TO_THE_END = ("ask", "read")
STEPS = st.sampled_from(
    [TO_THE_END, TO_THE_END, TO_THE_END, ("ask", "fail"), ("ask",), ("fail",), ()]
)
FAULTS = ("fails", "works, and is not answered")
TROUBLE = st.tuples(
    st.integers(0, 2),
    st.one_of(
        st.just(()),
        st.lists(st.sampled_from(FAULTS), max_size=suspects._TRIES - 1).map(tuple),
        st.just(("fails",) * 100),
    ),
).map(lambda drawn: ("works",) * drawn[0] + drawn[1])
"""What becomes of the next calls; later ones work. The longest outlasts all tries."""
HAPPENINGS = st.tuples(
    st.sampled_from([*["deliver"] * 8, "go on", "go on", "to nobody", "kill"]),
    st.integers(0, 2),  # the worker, or who goes on
    STEPS,
    TROUBLE,
)
NOBODY = "to nobody", 0, (), ()
PERSISTED = "deliver", 1, ("ask", "fail"), ("works", "works", *["fails"] * (suspects._TRIES - 1))
"""An attempt that fails, and is heard saying so at the last try."""


class Record(Registry):
    """The record in memory, whose calls about suspicions may fail.

    Attributes:
        trouble: what becomes of the next calls.
    """

    trouble: list[str]

    def suspicions(self, product: ProductId, drop: str, message: str) -> Sequence[Suspicion]:
        ask = super().suspicions
        return self._outcome(lambda: ask(product, drop, message))

    def suspect(self, product: ProductId, suspicion: Suspicion) -> None:
        note = super().suspect
        self._outcome(lambda: note(product, suspicion))

    def _outcome(self, call: Callable[[], T]) -> T:
        how = self.trouble.pop(0) if self.trouble else "works"
        if how == "fails":
            raise Unavailable("The storage account does not answer.")
        answer = call()
        if how != "works":
            raise Unavailable("The storage account did its work and does not answer.")
        return answer


@dataclass(eq=False, kw_only=True)
class Begun:
    """An attempt that has not ended, and the worker that it is made in."""

    attempt: Attempt
    worker: int
    judges: bool = False


class Deliveries:
    """One message about one file, three workers, and others who have another message about it.

    Attributes:
        killed: workers that the file ended.
        misfortunes: attempts that ended with their worker, and what cannot be told from that: a
            first delivery that nobody began, a lock that was lost, an outage that outlasts tries.
    """

    def __init__(self, *, deadly: bool) -> None:
        self.record = Record()
        self.record.trouble = []
        self.backbone = replace(in_memory(), registry=self.record)
        self.workers = [suspects._Process() for _ in range(3)]
        for delivery in (2, 3):  # under way for another message, in workers of their own
            other = Suspicion(drop=DROP, message="another", delivery=delivery, failed=False)
            self.record.suspect(PRODUCT, other)
        self.deadly = deadly
        self.deliveries = self.killed = self.misfortunes = 0
        self.open: list[Begun] = []
        self.verdict = ""

    def happen(
        self, what: str, worker: int, steps: tuple[str, ...], trouble: tuple[str, ...]
    ) -> None:
        self.record.trouble = list(trouble)
        if what == "kill":
            self._die(worker)
        elif what == "go on" and self.open:  # who lost the lock does not know that
            self._do(steps, self.open[worker % len(self.open)])
        elif what == "to nobody":
            self.deliveries += 1
            self.misfortunes += self.deliveries == 1
        elif what == "deliver" and not self.verdict:
            self._deliver(worker, steps)

    def _deliver(self, worker: int, steps: tuple[str, ...]) -> None:
        """Hand the message out; an attempt that has not ended after its steps loses the lock."""
        self.deliveries += 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(suspects, "_process", lambda: self.workers[worker])
            attempt = Attempt(
                self.backbone, PRODUCT, DROP, message="a message", delivery=self.deliveries
            ).__enter__()
        begun = Begun(attempt=attempt, worker=worker)
        self.open.append(begun)
        self._do(steps, begun)
        self.misfortunes += begun in self.open

    def _do(self, steps: tuple[str, ...], begun: Begun) -> None:
        for step in steps:
            if begun not in self.open:
                return
            if step == "fail":
                self._fail(begun)
            elif begun.judges:
                self._read(begun)
            else:
                self._ask(begun)

    def _ask(self, begun: Begun) -> None:
        """Whether it may be judged; who would have to wait for another suspect waits."""
        if self.workers[begun.worker].alone.locked() and not begun.attempt.is_first:
            return
        if self.verdict:  # it is in the ledger, where every attempt looks first
            self._end(begun, self.verdict)
            return
        try:
            begun.judges = begun.attempt.may_judge()
        except Unavailable:
            self._fail(begun)
            return
        if not begun.judges:
            self._end(begun, "poison")

    def _read(self, begun: Begun) -> None:
        if self.deadly:
            self.killed += 1
            self._die(begun.worker)
        else:
            self._end(begun, "accepted")

    def _fail(self, begun: Begun) -> None:
        self.open.remove(begun)
        failure = Unavailable("Something else does not answer.")
        begun.attempt.__exit__(Unavailable, failure, None)
        self.misfortunes += len(self.record.trouble) > suspects._TRIES

    def _end(self, begun: Begun, verdict: str) -> None:
        self.open.remove(begun)
        self.verdict = self.verdict or verdict
        with suppress(Unavailable):  # the message comes again, and finds the verdict
            begun.attempt.__exit__(None, None, None)

    def _die(self, worker: int) -> None:
        self.workers[worker] = suspects._Process()
        ended = [begun for begun in self.open if begun.worker == worker]
        self.misfortunes += len(ended)
        self.open = [begun for begun in self.open if begun.worker != worker]


@settings(max_examples=examples(2000))
@given(deadly=st.booleans(), history=st.lists(HAPPENINGS, max_size=9))
@example(deadly=False, history=[NOBODY, PERSISTED, ("deliver", 2, TO_THE_END, ())])
def test_no_file_ends_a_third_worker_and_none_is_refused_for_less(
    deadly: bool, history: list[tuple[str, int, tuple[str, ...], tuple[str, ...]]]
) -> None:
    world = Deliveries(deadly=deadly)
    for happening in history:
        world.happen(*happening)

        assert world.killed <= MOST_DEATHS
        assert world.verdict != "poison" or world.misfortunes >= MOST_DEATHS
