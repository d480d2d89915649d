"""Nouns as rows of a table, and the limits of a table.

A noun is kept as JSON: `json00`, and `json01`, … where one property cannot hold it. ASCII only, so
that a character is one UTF-16 unit, which is what a table counts. A field that is added to a noun
later, with a default, needs no migration; one that is taken away is ignored.

The limits are Azure's; Azurite enforces only some of them, so they are checked here.
https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError

from mesh.azure.failures import code_of, unavailable
from mesh.errors import MeshError, Rejected, Unavailable

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableEntity

LONGEST_STRING = 32 * 1024
"""Characters (UTF-16) of a property: 64 KiB."""

LARGEST_ROW = 1024 * 1024
"""Bytes of a row."""

MOST_OPERATIONS = 100
LARGEST_TRANSACTION = 4 * 1024 * 1024
"""Operations, and bytes of the request, of one transaction."""

_OVERHEAD = 1024
"""Bytes that an operation costs within a transaction's request beyond its JSON, at most."""

_PAGE = 1000
_LONGEST_PART = 200
_PLAIN = re.compile(r"[A-Za-z0-9._@=+-]*", re.ASCII)

_Noun = TypeVar("_Noun")

_preparing = threading.Lock()
_prepared: set[Any] = set()

FIRST, LAST = "", "~~"
"""Every key that `row_key` makes lies between these."""


def row_key(*parts: str) -> str:
    r"""`PART:PART:…`, each made of characters that a key may have; different parts, different keys.

    A key may not hold `/`, `\`, `#`, `?` or control characters, and `%` is known for trouble in
    transactions. What is not plain becomes `~` and the hexadecimal of its UTF-8; what is too long
    for a key ends with a digest.
    """
    return ":".join(map(_key_part, parts))


def _key_part(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        text = "".join(
            character
            if _PLAIN.fullmatch(character)
            else "".join(f"~{byte:02x}" for byte in character.encode(errors="surrogatepass"))
            for character in text
        )
    if len(text) > _LONGEST_PART:
        # No other part has `~~`.
        return f"{text[:100]}~~{hashlib.sha256(text.encode()).hexdigest()}"
    return text


def row(partition: str, key: str, content: object, **columns: str) -> dict[str, Any]:
    """A row that holds a noun, or a JSON object, and columns to query by.

    Raises:
        Rejected: it is larger than a table allows.
    """
    text = to_json(content)
    chunks = range(0, len(text), LONGEST_STRING)
    made: dict[str, Any] = {"PartitionKey": partition, "RowKey": key, **columns}
    made |= {
        f"json{at:02d}": text[start : start + LONGEST_STRING] for at, start in enumerate(chunks)
    }
    check_row(made)
    return made


def to_json(content: object) -> str:
    """A noun, or a JSON object, as ASCII JSON."""
    import msgspec

    return json.dumps(msgspec.to_builtins(content, order="deterministic"), separators=(",", ":"))


def from_json(kind: type[_Noun], text: str, *, what: str) -> _Noun:
    """The reverse of `to_json`.

    Raises:
        Unavailable: `text` is no such noun: somebody has changed `what`, or wrote it with a newer
            version of the mesh.
    """
    import msgspec

    _prepare(kind)
    try:
        return msgspec.convert(json.loads(text), kind)
    except (ValueError, MeshError) as wrong:
        message = f"{what} cannot be read as {kind.__name__}: {wrong}"
        raise Unavailable(message) from None


def _prepare(kind: Any) -> None:
    """Let msgspec learn a kind of noun before threads use it at once.

    What it knows of a class it keeps at the class, before that is whole: a thread that needs it
    while another one learns it ends the process (msgspec 0.22).
    """
    import msgspec

    if kind not in _prepared:
        with _preparing:
            msgspec.json.Decoder(kind)
            _prepared.add(kind)


def noun(kind: type[_Noun], entity: Mapping[str, Any]) -> _Noun:
    """The noun that a row holds.

    Raises:
        Unavailable: it holds something else.
    """
    what = f"Row {entity['RowKey']!r} of partition {entity['PartitionKey']!r}"
    return from_json(kind, _text(entity), what=what)


def document(entity: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object that a row holds."""
    what = f"Row {entity['RowKey']!r} of partition {entity['PartitionKey']!r}"
    return from_json(dict[str, Any], _text(entity), what=what)


def _text(entity: Mapping[str, Any]) -> str:
    names = sorted(name for name in entity if name.startswith("json"))
    return "".join(entity[name] for name in names)


def check_row(entity: Mapping[str, str]) -> None:
    """Refuse a row that is larger than a table allows.

    Raises:
        Rejected: it is.
    """
    size = 4 + 2 * (len(entity["PartitionKey"]) + len(entity["RowKey"]))
    for name, value in entity.items():
        length = len(value)
        if length > LONGEST_STRING:
            _too_large(entity, f"{name} has {length} characters", f"{LONGEST_STRING}")
        size += 12 + 2 * len(name) + 2 * length
    if size > LARGEST_ROW:
        _too_large(entity, f"it has {size} bytes", f"{LARGEST_ROW}")


def check_transaction(entities: Iterable[Mapping[str, str]]) -> None:
    """Refuse a transaction that is larger than a table allows.

    Raises:
        Rejected: it is.
    """
    operations = list(entities)
    size = sum(_OVERHEAD + len(json.dumps(entity)) for entity in operations)
    if len(operations) > MOST_OPERATIONS:
        _too_large_change(f"{len(operations)} rows", f"{MOST_OPERATIONS}")
    if size > LARGEST_TRANSACTION:
        _too_large_change(f"{size} bytes", f"{LARGEST_TRANSACTION}")


def get(
    table: TableClient, partition: str, key: str, *, doing: str | None = None
) -> TableEntity | None:
    """One row; None when there is none. One transaction.

    Args:
        doing: what it is read for, to be told when the table does not answer.
    """
    with unavailable(doing or f"Reading {key} of {partition} in table {table.table_name}"):
        try:
            return table.get_entity(partition, key)
        except ResourceNotFoundError as missing:
            if code_of(missing) == "TableNotFound":
                raise
            return None


def between(
    table: TableClient,
    partition: str,
    low: str,
    high: str,
    *,
    limit: int | None = None,
    column: tuple[str, str] | None = None,
) -> Iterator[TableEntity]:
    """The rows of a partition with low ≤ key < high, in the order of their keys.

    One transaction per thousand rows that the table looks at.

    Args:
        column: a column, and the value it must have.
    """
    query = "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high"
    parameters = {"partition": partition, "low": low, "high": high}
    if column is not None:
        name, parameters["value"] = column
        query += f" and {name} eq @value"
    page = _PAGE if limit is None else min(limit, _PAGE)
    with unavailable(f"Reading {partition} in table {table.table_name}"):
        found = table.query_entities(query, parameters=parameters, results_per_page=page)
        yield from islice(found, limit)


def unchanged(before: TableEntity) -> dict[str, Any]:
    """What lets a row be written only as long as it is as it was read."""
    return {"etag": before.metadata["etag"], "match_condition": MatchConditions.IfNotModified}


def under(table: TableClient, partition: str, *prefix: str) -> Iterator[TableEntity]:
    """The rows of a partition whose keys are `PREFIX:…`."""
    start = row_key(*prefix)
    yield from between(table, partition, f"{start}:", f"{start};")


def _too_large(entity: Mapping[str, str], what: str, limit: str) -> None:
    message = (
        f"{entity['RowKey']!r} of {entity['PartitionKey']!r} is too large to be recorded: {what}, "
        f"and {limit} are allowed. Make what you sent smaller."
    )
    raise Rejected(message, problem="too-large", status=413)


def _too_large_change(what: str, limit: str) -> None:
    message = (
        f"The change is too large for one transaction of the record: {what}, and {limit} are "
        "allowed. Make it in smaller parts."
    )
    raise Rejected(message, problem="too-large", status=413)
