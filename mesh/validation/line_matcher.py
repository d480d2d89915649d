"""Finds runs of good records by polars, which matches lines without holding this process's lock.

The answers are those of `run_matcher`: offsets in a block. A line is taken for good only if all of
it, with its line end, matches.
"""

from __future__ import annotations

import importlib.util
from array import array
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from mesh.validation.line_expressions import LineExpressions
from mesh.validation.line_keys import KeyQuestion
from mesh.validation.run_finders import Expressions, Found, FoundRuns

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

_LINE_END = 10
_PIECE = 1 << 17
"""Bytes in which line ends are looked for together, so that what is found stays near."""
_MOST_LINES = 1 << 18
"""Lines of a block that are looked at together: each takes some 64 bytes beside its text."""


class LineFinders:
    """Threads in which polars looks for runs, as many as there are processors."""

    def __init__(self, processors: int, block: int) -> None:
        self.block = block
        self._threads = ThreadPoolExecutor(processors, thread_name_prefix="lines")
        self.depth = processors

    def close(self) -> None:
        """Let what is under way end, and take no more questions."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def ask(
        self, expressions: Expressions, keys: tuple[KeyQuestion, ...], block: bytes
    ) -> FoundRuns:
        """Have one of them look at a block."""
        answer: Future[Found]
        if expressions.lines is None:
            answer = Future()
            answer.set_result(Found(bounds=array("Q")))
        else:
            answer = self._threads.submit(line_runs, expressions.lines, block, keys)
        return FoundRuns(expressions.run, block, answer)


def has_polars() -> bool:
    """Whether polars is installed; without it `re` does the work."""
    return importlib.util.find_spec("polars") is not None


def is_usable(expressions: LineExpressions) -> bool:
    """Whether polars takes the expressions: it refuses automatons that grow too large."""
    import polars as pl

    nothing = pl.DataFrame({"line": [""]}, schema={"line": pl.String})
    try:
        nothing.select(_is_good(expressions))
    except pl.exceptions.ComputeError:
        return False
    return True


def line_runs(
    expressions: LineExpressions, block: bytes, keys: tuple[KeyQuestion, ...] = ()
) -> Found:
    """The runs of good records in a block.

    Args:
        expressions: Of the lines of good records.
        block: UTF-8; what follows its last line end is left to others.
        keys: Whose digests are wanted.
    """
    lines, starts = _lines(block)
    if not len(lines):
        return Found(bounds=array("Q"))
    good = lines.select(good=_is_good(expressions)).to_series()
    changes = (good != good.shift(1, fill_value=False)).arg_true().to_list()
    bounds, numbers = array("Q", starts[changes].tobytes()), array("Q", changes)
    if good[-1]:
        bounds.append(int(starts[-1]))
        numbers.append(len(lines))
    digests = [key.digests(lines, good) for key in keys]
    told = tuple(digest for digest in digests if digest is not None)
    complete = len(told) == len(keys) > 0
    return Found(bounds=bounds, lines=numbers, digests=told if complete else None)


def _is_good(expressions: LineExpressions) -> pl.Expr:
    import polars as pl

    line = pl.col("line")
    good = line.str.contains(expressions.shapes)
    if expressions.lengths is not None:
        good &= line.str.contains(expressions.lengths)
    if expressions.most is not None:
        good &= line.str.len_bytes() <= expressions.most
    return good


def _lines(text: bytes) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Each line with its end, and where each begins, and the last one ends; nothing is copied.

    No line where there are so many that looking at them together takes too much memory.
    """
    import numpy as np
    import polars as pl
    import pyarrow as pa

    starts = _starts(np.frombuffer(text, np.uint8))
    count = len(starts) - 1
    buffers = [None, pa.py_buffer(starts), pa.py_buffer(text)]
    lines = pa.Array.from_buffers(pa.large_string(), count, buffers)
    return pl.DataFrame({"line": pl.from_arrow(lines)}), starts


def _starts(text: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where lines begin, and where the last one ends; zero alone where there are too many."""
    import numpy as np

    parts, count = [np.zeros(1, np.int64)], 0
    for at in range(0, len(text), _PIECE):
        parts.append(np.flatnonzero(text[at : at + _PIECE] == _LINE_END) + (at + 1))
        count += len(parts[-1])
        if count > _MOST_LINES:
            return parts[0]
    return np.concatenate(parts)
