"""What a process knows of the files that may have ended its predecessors."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mesh import suspects
from mesh.backbone import in_memory
from mesh.model.names import ProductId
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
    real = uuid.uuid4

    def slow() -> uuid.UUID:
        time.sleep(0.05)  # room for the other thread, which must not use it
        return real()

    monkeypatch.setattr(uuid, "uuid4", slow)
    together, met = threading.Barrier(2), []
    inside = threading.Barrier(2, action=lambda: met.append("both judge at once"))

    def judge(drop: str) -> None:
        together.wait()
        with Attempt(backbone, PRODUCT, drop, delivery=2) as attempt:
            assert attempt.may_judge()
            with suppress(threading.BrokenBarrierError):
                inside.wait(timeout=0.3)

    threads = [threading.Thread(target=judge, args=(drop,)) for drop in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not met
