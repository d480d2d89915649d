"""Reads Avro object container files record by record, once their schema is known to fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mesh.validation.arrow_text import json_text
from mesh.validation.avro_blocks import (
    bound_decimals,
    check_head,
    check_listed,
    check_size,
    check_unpacked,
)
from mesh.validation.avro_schema import refuse_unsound
from mesh.validation.file_columns import FileColumn, compare_columns
from mesh.validation.origins import AvroRows
from mesh.validation.plan import Plan
from mesh.validation.record_lines import RecordLines
from mesh.validation.report import FileRefusedError

_RECORDS = 1000
_TEXT = 4 << 20
"""Characters of JSON of so many records at a time, if they are long."""
_SYNC = 16
_MAGIC = b"Obj\x01"
_LOGICAL: Mapping[str, tuple[str, str | None]] = {
    "decimal": ("number", None),
    "uuid": ("string", None),
    "date": ("string", "date"),
    "time-millis": ("string", "local-time"),
    "time-micros": ("string", "local-time"),
    "timestamp-millis": ("string", "date-time"),
    "timestamp-micros": ("string", "date-time"),
    "local-timestamp-millis": ("string", "local-date-time"),
    "local-timestamp-micros": ("string", "local-date-time"),
}
_PLAIN: Mapping[str, str] = {
    "null": "null", "boolean": "boolean", "int": "integer", "long": "integer", "float": "number",
    "double": "number", "string": "string", "enum": "string", "record": "object", "map": "object",
    "array": "array",
}  # fmt: skip


def avro_blocks(plan: Plan, pieces: Iterable[bytes]) -> Iterator[RecordLines]:
    """The records of an Avro file, as lines.

    Raises:
        FileRefusedError: It cannot be read, or its schema is not the contract's.
    """
    stream = _Stream(pieces)
    reader = _opened(stream)
    stream.codec = str(reader.codec)
    schema = reader.writer_schema
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise FileRefusedError(
            "columns",
            "The records of the Avro file are no records with fields.",
            "Write one Avro record per row, with the fields of the contract.",
        )
    names = compare_columns(plan, [file_field(field) for field in schema["fields"]])
    wanted = set(names)
    kept: list[dict[str, Any]] = []
    texts: list[str] = []
    size = 0
    for record in _guarded(reader):
        kept.append(record)
        texts.append(json_text({name: record[name] for name in record if name in wanted}))
        size += len(texts[-1])
        if len(kept) >= _RECORDS or size >= _TEXT:
            yield _lines(kept, texts, reader)
            kept, texts, size = [], [], 0
    if kept:
        yield _lines(kept, texts, reader)


def _lines(records: list[dict[str, Any]], texts: list[str], reader: Any) -> RecordLines:
    origin = AvroRows(
        records=records, schema=reader.metadata["avro.schema"], codec=str(reader.codec)
    )
    data = "\n".join([*texts, ""]).encode("utf-8", "surrogatepass")
    return RecordLines(data=data, origin=origin)


def _opened(stream: _Stream) -> Any:
    if stream.peek(4) != _MAGIC:
        if not stream.peek(1):
            raise FileRefusedError("empty", "The file is empty.", "Send the whole file again.")
        raise FileRefusedError(
            "avro",
            "The file is no Avro object container file: it does not begin with Obj1.",
            "Name the file by its format, or write it with its schema in its head.",
        )
    import fastavro

    source: Any = stream  # it asks for nothing but `read`
    bound_decimals()
    try:
        return fastavro.block_reader(source)
    except Exception as error:  # noqa: BLE001 - the library raises whatever broken bytes lead it to
        raise _unreadable(error, "at its head") from None


def _records(reader: Any) -> Iterator[dict[str, Any]]:
    has_lists, row = refuse_unsound(reader.writer_schema), 1
    for block in reader:
        if has_lists:
            check_listed(block, reader.writer_schema, row)
        yield from block
        row += block.num_records


def _guarded(reader: Any) -> Iterator[dict[str, Any]]:
    records, row = _records(reader), 0
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except FileRefusedError:
            raise  # of the compression around it, or of what would take too much
        except Exception as error:  # noqa: BLE001 - as above
            raise _unreadable(error, f"after row {row}") from None
        row += 1
        yield record


def _unreadable(error: Exception, where: str) -> FileRefusedError:
    if isinstance(error, FileRefusedError):
        return error
    said = (str(error).split("\n", 1)[0].rstrip(".") or type(error).__name__)[:200]
    return FileRefusedError(
        "avro", f"The Avro file cannot be read {where}: {said}.", "Write it again and resend it."
    )


def file_field(field: Mapping[str, Any]) -> FileColumn:
    """What a field of an Avro schema is in terms of JSON."""
    kind, form = _json_type(field["type"])
    name = field["type"] if isinstance(field["type"], str) else _named(field["type"])
    return FileColumn(name=str(field["name"]), type=name, json=kind, format=form)


def _json_type(schema: Any) -> tuple[str | None, str | None]:
    if isinstance(schema, list):
        others = [item for item in schema if item != "null"]
        # Several branches: each row tells for itself.
        return _json_type(others[0]) if len(others) == 1 else ("null", None)
    if isinstance(schema, Mapping):
        logical = str(schema.get("logicalType"))
        if logical in _LOGICAL:
            return _LOGICAL[logical]
        return _json_type(schema["type"])
    return (_PLAIN.get(schema), None) if schema in _PLAIN or schema in _OPAQUE else ("object", None)


_OPAQUE = frozenset({"bytes", "fixed"})


def _named(schema: Any) -> str:
    if isinstance(schema, list):
        return " or ".join(map(_named, schema))
    if isinstance(schema, Mapping):
        return str(schema.get("logicalType") or schema["type"])
    return str(schema)


class _Stream:
    """Pieces as something to read from, forwards only."""

    codec: str | None = None
    """Of the blocks, once the head has been read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = bytearray()
        self._taken = 0

    def peek(self, size: int) -> bytes:
        self._fill(size)
        return bytes(self._held[:size])

    def tell(self) -> int:
        """How many bytes have been read."""
        return self._taken

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            self._held += b"".join(self._pieces)
            size = len(self._held)
        check_size(size)
        if self.codec is None:
            check_head(self._taken + size)
        self._fill(size)
        taken = bytes(self._held[:size])
        self._taken += len(taken)
        del self._held[:size]
        if size > _SYNC and self.codec not in {None, "null"}:
            check_unpacked(str(self.codec), taken)
        return taken

    def _fill(self, size: int) -> None:
        while len(self._held) < size:
            piece = next(self._pieces, None)
            if piece is None:
                return
            self._held += piece
