"""Lines of a run of records."""

from __future__ import annotations

from collections.abc import Iterator

from mesh.validation.report import FileRefusedError, Limits


def before_long(data: bytes, start: int, stop: int, limit: int) -> int:
    """Where the first line of a run begins that is longer than the limit; else its end."""
    at = start
    while at < stop:
        end = data.index(b"\n", at) + 1
        if end - at > limit:
            return at
        at = end
    return stop


def marked(
    data: bytes, start: int, stop: int, marked: list[int]
) -> Iterator[tuple[int | None, int, int]]:
    """A run of lines cut at those of some numbers: (number or None, start, stop) of each part."""
    line = 0
    begin = at = start
    for number in marked:
        while line < number:
            at = data.index(b"\n", at) + 1
            line += 1
        if at > begin:
            yield None, begin, at
        begin = data.index(b"\n", at) + 1
        yield number, at, begin
        at = begin
        line += 1
    if begin < stop:
        yield None, begin, stop


def record_too_long(row: int, line: int, limits: Limits) -> FileRefusedError:
    """The refusal of a record beyond the limit."""
    return FileRefusedError(
        "recordSize",
        f"Row {row} (line {line}) is longer than {limits.record_bytes:,} bytes, the most that one "
        f"record may have.",
        "Check whether line ends are missing; put large content into files of its own.",
    )
