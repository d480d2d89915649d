"""Work beside the thread that judges: its order, its failures, its end."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Generator, Iterator
from functools import partial

import pytest

from mesh.validation.beside import Beside, ahead
from mesh.validation.spool import SharedFile


@pytest.fixture(params=["several processors", "one processor"])
def _processors(request: pytest.FixtureRequest) -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("the system does not say how many processors this process may use")
    before = os.sched_getaffinity(0)
    if request.param == "one processor":
        os.sched_setaffinity(0, {min(before)})
    elif len(before) < 2:
        pytest.skip("there is one processor")
    yield
    os.sched_setaffinity(0, before)


def fail() -> None:
    message = "the disk is full"
    raise OSError(message)


@pytest.mark.usefixtures("_processors")
class TestTasks:
    def test_they_are_done_in_order(self) -> None:
        done: list[int] = []
        beside = Beside()
        for number in range(100):
            beside.do(partial(done.append, number))
        beside.wait()
        beside.close()
        assert done == list(range(100))

    def test_what_one_raises_comes_out_and_nothing_is_done_after_it(self) -> None:
        done: list[int] = []
        beside = Beside()
        with pytest.raises(OSError, match="disk is full"):  # noqa: PT012 - either may raise
            beside.do(fail)
            beside.do(partial(done.append, 1))
        beside.close()
        assert done == []

    def test_what_is_forgotten_raises_nothing(self) -> None:
        beside = Beside()
        beside.do(lambda: None)
        beside.close()
        beside.close()


@pytest.mark.usefixtures("_processors")
class TestItemsAhead:
    def test_they_are_the_same_in_the_same_order(self) -> None:
        with ahead(number * number for number in range(50)) as items:
            assert list(items) == [number * number for number in range(50)]

    def test_an_error_comes_behind_the_items_before_it(self) -> None:
        def made() -> Generator[int, None, None]:
            yield 1
            fail()

        seen: list[int] = []
        with pytest.raises(OSError, match="disk is full"), ahead(made()) as items:
            seen.extend(items)
        assert seen == [1]

    def test_who_leaves_early_ends_what_makes_them(self) -> None:
        ended = threading.Event()

        def made() -> Generator[int, None, None]:
            try:
                while True:
                    yield 1
            finally:
                ended.set()

        with ahead(made()) as items:
            assert next(items) == 1
        assert ended.is_set()


def test_each_view_of_a_file_has_a_place_of_its_own() -> None:
    file = SharedFile(io.BytesIO(b"0123456789"))
    one, other = file.view(), file.view()
    assert one.read(4) == b"0123"
    assert other.read(2) == b"01"
    assert one.seek(-3, os.SEEK_END) == 7
    assert one.seek(1, os.SEEK_CUR) == 8
    assert (one.read(), one.read(), other.read(1)) == (b"89", b"", b"2")
    assert (one.tell(), other.tell(), file.size) == (10, 3, 10)
    assert one.readable()
    assert one.seekable()
