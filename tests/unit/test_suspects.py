"""What a process knows of the files that may have ended its predecessors."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from mesh import suspects
from mesh.backbone import Backbone, in_memory
from mesh.errors import Unavailable
from mesh.memory.registry import Registry
from mesh.model.names import ProductId
from mesh.model.record import Suspicion
from mesh.suspects import Attempt

PRODUCT = ProductId(domain="geography", product="countries")


@pytest.fixture
def new_process() -> Iterator[None]:
    """The attempts of a test are the first that its process makes."""
    suspects._process.cache_clear()
    yield
    suspects._process.cache_clear()


@pytest.mark.usefixtures("new_process")
def test_suspects_that_come_first_and_together_are_judged_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the worker's death would be put on both, and an innocent file be refused."""
    backbone = in_memory()
    real = suspects._Process

    def slow() -> suspects._Process:
        time.sleep(0.05)  # room for the other thread, which must not use it
        return real()

    monkeypatch.setattr(suspects, "_Process", slow)
    together, met = threading.Barrier(2), []
    inside = threading.Barrier(2, action=lambda: met.append("both judge at once"))

    def judge(drop: str) -> None:
        together.wait()
        with Attempt(backbone, PRODUCT, drop, message="m", delivery=2) as attempt:
            assert attempt.may_judge()
            with suppress(threading.BrokenBarrierError):
                inside.wait(timeout=0.3)

    threads = [threading.Thread(target=judge, args=(drop,)) for drop in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not met


class Down(Registry):
    """A record that suspicions cannot be written to."""

    def suspect(self, product: ProductId, suspicion: Suspicion) -> None:  # noqa: ARG002 - it is down
        raise Unavailable("The storage account does not answer.")


@pytest.mark.usefixtures("new_process")
def test_a_process_that_lives_has_died_of_none_of_its_attempts() -> None:
    """Neither of one that failed while the storage was down, nor of one that lost its lock."""
    works = in_memory()
    down = replace(works, registry=Down())

    def attempt(delivery: int, backbone: Backbone = works) -> Attempt:
        return Attempt(backbone, PRODUCT, "drop", message="m", delivery=delivery)

    with pytest.raises(Unavailable, match="something else"), attempt(1, down):
        raise Unavailable("something else")
    lost = attempt(2).__enter__()
    assert lost.may_judge()
    suspects._process().alone.release()  # it is at an effect, as in another thread
    third = attempt(3).__enter__()
    assert third.may_judge()
    suspects._process().alone.release()

    suspects._process.cache_clear()
    assert not attempt(4).__enter__().may_judge(), "another process can only tell from rows"
