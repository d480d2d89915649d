"""Finds runs of good records by polars, which matches lines without holding this process's lock.

The answers are those of `run_matcher`: offsets in a block. A line is taken for good only if all of
it, from line end to line end, matches; how polars cuts lines is checked by counting bytes.
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
    import polars as pl

_UNUSED = (1, 2, 3, 4, 5, 6, 7, 8)
"""Characters that text hardly ever has: one that a block has not keeps its lines in one piece."""


class LineFinders:
    """Threads in which polars looks for runs.

    One more than there are processors, for each waits now and then for the interpreter.
    """

    def __init__(self, processors: int, block: int) -> None:
        self.block = block
        self._threads = ThreadPoolExecutor(processors + 1, thread_name_prefix="lines")
        self.depth = processors + 2

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
    import polars as pl

    text = block[: block.rfind(b"\n") + 1]
    lines = _lines(text)
    if lines is None:
        return Found(bounds=array("Q"))
    good = lines.select(good=_is_good(expressions).fill_null(value=False)).to_series()
    ends = lines.select(pl.col("size").cum_sum()).to_series()
    if ends[-1] != len(text):
        return Found(bounds=array("Q"))
    changes = (good != good.shift(1, fill_value=False)).arg_true()
    bounds = array("Q", ends.shift(1, fill_value=0).gather(changes).to_list())
    numbers = array("Q", changes.to_list())
    if good[-1]:
        bounds.append(len(text))
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


def _lines(text: bytes) -> pl.DataFrame | None:
    """Each line without its end, and its size with it; None when the text is not cut with ease."""
    import polars as pl

    ends, returns = text.count(b"\n"), text.count(b"\r")
    mark = next((code for code in _UNUSED if code not in text), None)
    if mark is None or not ends or text.startswith(b"\xef\xbb\xbf"):
        return None
    if returns and not text.count(b"\r\n") == returns == ends:
        whole = pl.Series("line", [text.decode()[:-1]], dtype=pl.String)
        lines = whole.str.split("\n").explode().to_frame()
        size = 1
    else:
        lines = pl.read_csv(
            text,
            has_header=False,
            schema={"line": pl.String},
            separator=chr(mark),
            quote_char=None,
        )
        size = 2 if returns else 1
    width = pl.col("line").str.len_bytes().fill_null(0).cast(pl.Int64) + size
    return lines.with_columns(size=width) if lines.height == ends else None
