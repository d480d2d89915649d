"""Several processes that look for runs of good records in the next blocks of a large file.

They only find where runs are. Everything that has an order (rows, keys, sinks) stays with the
caller, which looks for itself wherever it has no answer: a process that dies costs time and
nothing else.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from mesh.validation import run_matcher
from mesh.validation.run_matcher import ANSWER, QUESTION

_MOST = 8


class FoundRuns:
    """The runs of one block, as one expression finds them.

    Attributes:
        expression: What found them; they mean nothing to a reader that now has another.
    """

    def __init__(self, expression: re.Pattern[bytes], answer: Future[array[int]]) -> None:
        self.expression = expression
        self._answer = answer
        self._bounds: array[int] | None = None

    def end(self, at: int) -> int | None:
        """Where the run ends that a record at this offset of the block is part of; None if none.

        Each record of a run is one line, so that any line of it starts a shorter run.
        """
        if self._bounds is None:
            self._bounds = self._received()
        place = bisect_right(self._bounds, at)
        return self._bounds[place] if place % 2 else None

    def _received(self) -> array[int]:
        try:
            return self._answer.result()
        except (OSError, ValueError):  # the process is gone
            return array("Q")


class BlockReader(Protocol):
    """A reader that runs may be found for."""

    @property
    def expression(self) -> re.Pattern[bytes] | None:
        """What finds runs; None as long as there is no such expression."""

    def feed(self, block: bytes, runs: FoundRuns | None = None) -> None:
        """Take the next block."""


class RunFinders:
    """Processes, each with a thread that talks to it."""

    def __init__(self, processes: int) -> None:
        self._count = processes
        self._open: list[tuple[subprocess.Popen[bytes], ThreadPoolExecutor]] = []
        self._next = 0

    @property
    def depth(self) -> int:
        """How many blocks should be under way."""
        return self._count + 2

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process, thread in self._open:
            process.kill()  # what it does is of no use any more
            thread.shutdown(wait=True, cancel_futures=True)
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()
            process.wait()

    def ask(self, expression: re.Pattern[bytes], block: bytes) -> FoundRuns:
        """Have one of them look at a block."""
        if not self._open:
            self._start()
        process, thread = self._open[self._next]
        self._next = (self._next + 1) % len(self._open)
        return FoundRuns(expression, thread.submit(_asked, process, expression.pattern, block))

    def _start(self) -> None:
        for _ in range(self._count):
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(run_matcher.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            self._open.append((process, ThreadPoolExecutor(1, thread_name_prefix="runs")))


def _asked(process: subprocess.Popen[bytes], expression: bytes, block: bytes) -> array[int]:
    assert process.stdin
    assert process.stdout
    for part in (QUESTION.pack(len(expression), len(block)), expression, block):
        process.stdin.write(part)
    process.stdin.flush()
    head = process.stdout.read(ANSWER.size)
    if len(head) < ANSWER.size:
        raise OSError("The process that looks for runs has ended.")
    found = array("Q")
    found.frombytes(process.stdout.read(ANSWER.unpack(head)[0]))
    return found


def usable_processes(wanted: int | None) -> int:
    """How many processes may look for runs: as many as there are processors, if more than one."""
    if wanted is not None:
        return wanted
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        count = os.cpu_count() or 1
    return min(count, _MOST) if count > 1 else 0


def feed_all(reader: BlockReader, blocks: Iterable[bytes], *, processes: int, large: int) -> None:
    """Feed a reader with blocks, and with their runs once the file has proved to be large."""
    under_way: deque[tuple[bytes, FoundRuns | None]] = deque()
    seen = 0
    with RunFinders(processes) as finders:
        for block in at_line_ends(blocks):
            seen += len(block)
            expression = reader.expression if processes and seen > large else None
            if expression is None and not under_way:
                reader.feed(block)
                continue
            under_way.append((block, finders.ask(expression, block) if expression else None))
            if len(under_way) > finders.depth:
                reader.feed(*under_way.popleft())
        while under_way:
            reader.feed(*under_way.popleft())


def at_line_ends(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks that begin where lines do, unless a line fills a whole block."""
    rest = b""
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if not end:
            yield rest + block
            rest = b""
            continue
        yield rest + block[:end] if rest or end < len(block) else block
        rest = block[end:]
    if rest:
        yield rest
