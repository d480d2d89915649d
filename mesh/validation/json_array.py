"""Cuts a JSON array into its elements while it streams by; what an element means, others judge."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import replace

from mesh.validation.lines import record_too_long
from mesh.validation.origins import JsonElements
from mesh.validation.record_lines import RecordLines
from mesh.validation.report import FileRefusedError, Limits

_SPACE = re.compile(rb"[ \t\r\n]*+")
_FLAT = re.compile(rb'\{(?:[^{}\[\]"]++|"(?:[^"\\]++|\\.)*+")*+\}', re.DOTALL)
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb"[^,\[\]{}\"\s]++(?=[,\[\]{}\"\s])")
_BREAK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\r\n]', re.DOTALL)
_ILLEGAL = b"\x01"
_REMEDY = "Write one array of objects: [{…}, {…}]; or name the file .jsonl, one object per line."


def array_blocks(blocks: Iterable[bytes], limits: Limits) -> Iterator[RecordLines]:
    """The elements of the array in a file, as lines.

    Args:
        blocks: The file, in valid UTF-8.
        limits: An element beyond `record_bytes` ends the reading.

    Raises:
        FileRefusedError: The file is no array, is cut short, or goes on behind its end.
    """
    scanner = _Scanner(limits)
    for block in blocks:
        yield scanner.feed(block)
    scanner.finish()


class _Scanner:
    """Where in the array we are: `open`, `value`, `next` (comma or end), `end`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._state = "open"
        self._rest = b""
        self._offset = 0
        self._line = 1
        self._row = 0

    def feed(self, block: bytes) -> RecordLines:
        data = self._rest + block if self._rest else block
        at = 3 if not self._offset and data.startswith(b"\xef\xbb\xbf") else 0
        elements: list[bytes] = []
        found = RecordLines(data=b"", lines=array("Q"), starts=array("Q"), ends=array("Q"))
        counted, line = 0, self._line
        while True:
            at = _end(_SPACE, data, at)
            if at == len(data):
                break
            if self._state != "value" or data[at] in b"],}":
                at = self._mark(data, at, line + data.count(b"\n", counted, at))
                continue
            stop = _value_end(data, at)
            if stop is None:
                break
            line, counted = line + data.count(b"\n", counted, at), at
            self._too_long(stop - at, line)
            self._row += 1
            self._state = "next"
            elements.append(data[at:stop])
            for column, number in (
                (found.lines, line),
                (found.starts, self._offset + at),
                (found.ends, self._offset + stop),
            ):
                assert isinstance(column, array)
                column.append(number)
            at = stop
        self._line = line + data.count(b"\n", counted, at)
        self._too_long(len(data) - at, self._line)
        self._rest = data[at:]
        self._offset += at
        text = b"\n".join([*map(_on_one_line, elements), b""])
        origin = JsonElements(elements=elements)
        return replace(found, data=text, origin=origin)

    def _mark(self, data: bytes, at: int, line: int) -> int:
        """Take one mark of the array itself."""
        mark = data[at : at + 1]
        moves = {
            ("open", b"["): "first",
            ("next", b","): "value",
            ("next", b"]"): "end",
            ("first", b"]"): "end",
        }
        if self._state == "first" and mark != b"]":
            self._state = "value"
            return at
        state = moves.get((self._state, mark))
        if state is None:
            raise self._misplaced(mark, line)
        self._state = state
        return at + 1

    def _misplaced(self, mark: bytes, line: int) -> FileRefusedError:
        if self._state == "open":
            return FileRefusedError(
                "json", "The file does not begin with [: it is no JSON array.", _REMEDY
            )
        if self._state == "end":
            message = f"Something follows the end of the JSON array (line {line})."
        elif self._state == "value":
            message = f"A comma of the JSON array is followed by no element (line {line})."
        else:
            message = (
                f"Row {self._row} of the JSON array is followed by {mark.decode('latin-1')!r} "
                f"instead of a comma (line {line})."
            )
        return FileRefusedError("json", message, _REMEDY)

    def _too_long(self, size: int, line: int) -> None:
        if size > self._limits.record_bytes:
            raise record_too_long(self._row + 1, line, self._limits)

    def finish(self) -> None:
        if self._state == "open" and not self._rest:
            raise FileRefusedError("empty", "The file is empty.", _REMEDY)
        if self._state != "end":
            raise FileRefusedError(
                "json",
                f"The JSON array is cut short after row {self._row}: its end is missing.",
                "Send the whole file again.",
            )


def _end(expression: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = expression.match(data, at)
    assert found
    return found.end()


def _value_end(data: bytes, at: int) -> int | None:
    """Where the value that begins here ends; None when more of it is to come."""
    found = _FLAT.match(data, at)
    if found:
        return found.end()
    if data[at] not in b'{["':
        found = _SCALAR.match(data, at)
        return found.end() if found else None
    depth = 0
    for token in _TOKEN.finditer(data, at):
        text = token.group()
        if text == b'"':
            return None
        if text in {b"{", b"["}:
            depth += 1
        elif text in {b"}", b"]"}:
            depth -= 1
        if depth == 0:
            return token.end()
    return None


def _on_one_line(element: bytes) -> bytes:
    """The element without line breaks; within texts, where none may be, they stay a fault."""
    if b"\n" not in element and b"\r" not in element:
        return element

    def replaced(found: re.Match[bytes]) -> bytes:
        text = found.group()
        if len(text) == 1:
            return b" "
        return text.replace(b"\n", _ILLEGAL).replace(b"\r", _ILLEGAL)

    return _BREAK.sub(replaced, element)
