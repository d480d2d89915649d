"""Helpers that look for runs of good records in the next blocks of a large file.

Where polars is installed they are threads in which it matches lines, else processes with `re`.
They only find where runs are. Everything that has an order (rows, keys, sinks) stays with the
caller, which looks for itself wherever it has no answer: a process that dies costs time and
nothing else.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mesh.validation.allocators import give_blocks_back
from mesh.validation.beside import ahead, usable_processors
from mesh.validation.line_expressions import LineExpressions
from mesh.validation.line_keys import KeyQuestion
from mesh.validation.report import Limits

if TYPE_CHECKING:
    from mesh.validation.seen_runs import Numbers

_BLOCKS = 2
"""Blocks that polars looks at together: each call has its price."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The runs of one block.

    Attributes:
        bounds: Offsets at which runs start and end: start, end, start, end, ….
        lines: How many lines there are before each of them; empty when nobody counted.
        digests: For each key that was asked for, the digests of each line; None when some good
            line's key cannot be told so.
    """

    bounds: array[int]
    lines: array[int] = field(default_factory=lambda: array("Q"))
    digests: tuple[Numbers, ...] | None = None


_NOTHING = Found(bounds=array("Q"))


class FoundRuns:
    """The runs of one block, as one expression finds them, once they are asked for.

    Attributes:
        expression: What found them; they mean nothing to a reader that now has another.
    """

    def __init__(self, expression: re.Pattern[bytes], block: bytes, answer: Future[Found]) -> None:
        self.expression = expression
        self._block, self._answer = block, answer
        self._found: Found | None = None

    @property
    def found(self) -> Found:
        """The answer, which may have to be awaited."""
        if self._found is None:
            try:
                self._found = self._answer.result()
            except (OSError, ValueError):  # the process is gone
                self._found = _NOTHING
        return self._found

    def end(self, at: int) -> int | None:
        """Where the run ends that a record at this offset of the block is part of; None if none.

        Each record of a run is one line, so that any line of it starts a shorter run.
        """
        bounds = self.found.bounds
        place = bisect_right(bounds, at)
        return bounds[place] if place % 2 else None

    def next(self, at: int) -> int | None:
        """Where the next run starts behind an offset that is in none; None if none does."""
        bounds = self.found.bounds
        place = bisect_right(bounds, at)
        return bounds[place] if place < len(bounds) else None

    def lines(self, at: int, end: int) -> range | None:
        """The numbers (from 0) of the lines of a part of a run; None where nobody counted."""
        bounds, lines = self.found.bounds, self.found.lines
        if not lines:
            return None
        place = bisect_right(bounds, at)
        first = lines[place - 1] + self._block.count(b"\n", bounds[place - 1], at)
        if end == bounds[place]:
            return range(first, lines[place])
        return range(first, first + self._block.count(b"\n", at, end))


class Expressions(Protocol):
    """What finds runs."""

    @property
    def run(self) -> re.Pattern[bytes]:
        """Matches as many good records as follow each other."""

    @property
    def lines(self) -> LineExpressions | None:
        """The same for one line; None when it cannot be said so."""


class BlockReader(Protocol):
    """A reader that runs may be found for."""

    @property
    def key_questions(self) -> tuple[KeyQuestion, ...]:
        """Keys whose digests spare the reader the work of cutting them out."""

    @property
    def expressions(self) -> Expressions | None:
        """What finds runs; None as long as there are no such expressions."""

    def feed(self, block: bytes, runs: FoundRuns | None = None) -> None:
        """Take the next block."""


class RunFinders(Protocol):
    """Helpers that look for runs.

    Attributes:
        block: Bytes of a block that are worth a question.
        depth: How many blocks should be under way.
    """

    @property
    def block(self) -> int: ...

    @property
    def depth(self) -> int: ...

    def ask(
        self, expressions: Expressions, keys: tuple[KeyQuestion, ...], block: bytes
    ) -> FoundRuns:
        """Have one of them look at a block."""

    def close(self) -> None:
        """Let go of them; what is under way is of no use any more."""


def feed_all(reader: BlockReader, blocks: Iterable[bytes], limits: Limits) -> None:
    """Feed a reader with blocks, and with their runs once the file has proved to be large."""
    whole = WholeLines(blocks)
    each = iter(whole)
    seen, asked = 0, False
    for block in each:
        reader.feed(block)
        seen += len(block)
        expressions = reader.expressions
        if asked or not expressions or seen <= _small(expressions, limits):
            continue
        asked = True
        give_blocks_back()
        if finders := _finders(expressions, limits):
            whole.size = finders.block
            with closing(finders), ahead(each) as following:
                _feed_with(reader, following, finders)


def _small(expressions: Expressions, limits: Limits) -> int:
    """Up to how many bytes a file is not worth helpers; those that are loaded cost little."""
    loaded = limits.lines and expressions.lines and "polars" in sys.modules
    return min(limits.large, limits.block_bytes) if loaded else limits.large


def _feed_with(reader: BlockReader, blocks: Iterator[bytes], finders: RunFinders) -> None:
    under_way: deque[tuple[bytes, FoundRuns | None]] = deque()
    for block in blocks:
        expressions = reader.expressions
        asked = finders.ask(expressions, reader.key_questions, block) if expressions else None
        under_way.append((block, asked))
        if len(under_way) > finders.depth:
            reader.feed(*under_way.popleft())
    while under_way:
        reader.feed(*under_way.popleft())


def _finders(expressions: Expressions, limits: Limits) -> RunFinders | None:
    """The best there are for these expressions; None for the caller alone."""
    count = limits.helpers
    if count == 0:
        return None
    from mesh.validation.line_matcher import LineFinders, has_polars, is_usable

    if limits.lines and expressions.lines and has_polars() and is_usable(expressions.lines):
        return LineFinders(count or usable_processors(), _BLOCKS * limits.block_bytes)
    from mesh.validation.run_processes import RunProcesses

    if count is None:
        processors = usable_processors()
        count = processors if processors > 1 else 0
    return RunProcesses(count) if count else None


class WholeLines:
    """The same bytes in blocks that begin where lines do, unless a line fills a whole block.

    Attributes:
        size: Bytes that a block has at least, if there are so many; it may change on the way.
    """

    def __init__(self, blocks: Iterable[bytes], size: int = 0) -> None:
        self._blocks, self.size = blocks, size

    def __iter__(self) -> Generator[bytes, None, None]:
        held: list[bytes | memoryview] = []
        count = 0
        for block in self._blocks:
            end = block.rfind(b"\n") + 1
            if end and count + end < self.size:
                held.append(block)
                count += len(block)
                continue
            cut = end or len(block)
            yield (
                block
                if cut == len(block) and not held
                else b"".join((*held, memoryview(block)[:cut]))
            )
            held = [memoryview(block)[cut:]] if cut < len(block) else []
            count = len(block) - cut
        if held:
            yield b"".join(held)
