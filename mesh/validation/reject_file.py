"""The bad records of a file as a file of the same format, to be corrected and dropped again."""

from __future__ import annotations

import codecs
import zlib
from typing import Any, Literal, Protocol

from mesh.validation.file_format import FileFormat
from mesh.validation.plan import Plan
from mesh.validation.report import RejectedRecord
from mesh.validation.writable import Writable

_MARK = b"\xef\xbb\xbf"


class Body(Protocol):
    """The records of one format, without the compression around it."""

    def add(self, record: RejectedRecord) -> None:
        """One more.

        Raises:
            UnwritableError: This record cannot be written in the format so that it says the same.
        """

    def finish(self) -> None:
        """Write what is still held, and the end of the file."""

    def close(self) -> None:
        """Let go of what is open, whether finished or not."""


class UnwritableError(Exception):
    """A record cannot be written back as it came; never leaves this package."""


class RejectFile:
    """Writes bad records as their producer wrote them: format, header, encoding, compression.

    Text is passed on byte for byte, also what a spreadsheet would take for a formula: the file is
    for the tools that wrote it, and people read receipts. A record of Parquet, Avro or Excel that
    cannot be written back so that it reads the same makes the whole a file of JSON Lines.

    Args:
        native: Takes the file in the producer's format.
        lines: Takes the same records as JSON Lines; not used for text.
    """

    def __init__(
        self, plan: Plan, file_format: FileFormat, *, native: Writable, lines: Writable
    ) -> None:
        compression = plan.dialect.compression or file_format.compression
        self._packed = _PACKERS[compression](native)
        self._is_text = file_format.kind == file_format.records_kind
        self._lines = lines
        self._recode = _recoder(plan.dialect.encoding) if file_format.kind == "csv" else None
        self._plan, self._kind = plan, file_format.kind
        self._body: Body | None = None
        self._header = b""
        self._fits = True
        self._is_empty = True

    def header(self, data: bytes) -> None:
        """The header of a delimited file."""
        self._header = _ended(data)

    def add(self, record: RejectedRecord) -> None:
        """One bad record."""
        first, self._is_empty = self._is_empty, False
        if self._is_text:
            text = _ended(record.raw)
            self._text(_begun(self._header + text) if first else text)
            return
        self._lines.write(_ended(b" ".join(record.raw.splitlines())))
        if not self._fits:
            return
        try:
            if self._body is None:
                self._body = _body(self._kind, self._plan, self._packed)
            self._body.add(record)
        except UnwritableError:
            self._fits = False

    def finish(self) -> Literal["native", "lines"]:
        """Write the end; says which of the two holds the records."""
        try:
            if self._body is not None and self._fits:
                self._body.finish()
        except UnwritableError:
            self._fits = False
        if not self._fits:
            return "lines"
        self._packed.finish()
        return "native"

    def close(self) -> None:
        """Let go of what is open."""
        if self._body is not None:
            self._body.close()

    def _text(self, data: bytes) -> None:
        self._packed.write(data if self._recode is None else self._recode.encode(data.decode()))


def _body(kind: str, plan: Plan, to: Writable) -> Body:
    if kind == "json":
        return _ArrayBody(to)
    from mesh.validation import reject_tables

    if kind == "parquet":
        return reject_tables.ParquetBody(to)
    if kind == "avro":
        return reject_tables.AvroBody(to)
    from mesh.validation.reject_workbook import WorkbookBody

    return WorkbookBody(to, header=plan.dialect.header)


class _ArrayBody:
    """One array of objects, each on lines of its own."""

    def __init__(self, to: Writable) -> None:
        self._to = to
        self._before = b"[\n"

    def add(self, record: RejectedRecord) -> None:
        self._to.write(self._before + record.raw.rstrip(b"\n"))
        self._before = b",\n"

    def finish(self) -> None:
        self._to.write(b"\n]\n")

    def close(self) -> None:
        """Nothing is open."""


class _Packer(Protocol):
    def write(self, data: bytes, /) -> object: ...
    def finish(self) -> None: ...


class _Plain:
    def __init__(self, to: Writable) -> None:
        self.write = to.write

    def finish(self) -> None:
        """Nothing is held."""


class _Compressed:
    """The same data make the same bytes: no time and no name go into them."""

    def __init__(self, to: Writable, engine: Any) -> None:
        self._to, self._engine = to, engine

    def write(self, data: bytes, /) -> None:
        self._to.write(self._engine.compress(data))

    def finish(self) -> None:
        self._to.write(self._engine.flush())


def _gzip(to: Writable) -> _Packer:
    return _Compressed(to, zlib.compressobj(6, zlib.DEFLATED, 31))


def _zstd(to: Writable) -> _Packer:
    import zstandard

    return _Compressed(to, zstandard.ZstdCompressor().compressobj())


_PACKERS = {"none": _Plain, "gzip": _gzip, "zstd": _zstd}


def _recoder(encoding: str) -> codecs.IncrementalEncoder | None:
    """Text is UTF-8 by now where it came as UTF-16; other encodings came through as they were."""
    if not codecs.lookup(encoding).name.startswith("utf-16"):
        return None
    return codecs.getincrementalencoder(encoding)()


def _begun(data: bytes) -> bytes:
    """A record may begin with what would be the mark of a whole file: it is not to be taken so."""
    return _MARK + data if data.startswith(_MARK) else data


def _ended(data: bytes) -> bytes:
    return data if data.endswith(b"\n") else data + b"\n"
