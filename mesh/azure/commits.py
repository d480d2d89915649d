"""A commit as the operations of one entity group transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core import MatchConditions

from mesh.azure.rows import row, row_key
from mesh.model.events import sequence_text
from mesh.model.file_set import FileSet
from mesh.model.record import Commit, Head, LedgerEntry

Operation = tuple[str, dict[str, Any], dict[str, Any]]
"""What is done, to which row, and how."""

OPEN = "open"
"""Column `state` of the row of a set that is not complete."""

_INSERT: dict[str, Any] = {}
_REPLACE: dict[str, Any] = {"mode": "replace"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 10**17 - 1


def operations(commit: Commit) -> list[Operation]:
    """What is written by a commit, wholly or not at all."""
    partition = commit.head.id.key
    found: list[Operation] = [_head_operation(commit.head)]
    if commit.entry is not None:
        found += [("create", made, _INSERT) for made in _ledger_rows(partition, commit.entry)]
    for known in (commit.repeated, commit.mended):
        if known is not None:
            rows = _ledger_rows(partition, known)
            found += [("upsert", changed, _REPLACE) for changed in rows]
    if commit.snapshot is not None:
        key = row_key("snapshot", f"v{commit.snapshot.major}", commit.snapshot.object_name)
        found.append(("upsert", row(partition, key, commit.snapshot), _REPLACE))
    for contract in commit.contracts:
        key = row_key("contract", contract.port, contract.version)
        found.append(("upsert", row(partition, key, contract), _REPLACE))
    found += [("upsert", changed, _REPLACE) for changed in _state_rows(partition, commit)]
    found += [_set_operation(partition, made) for made in commit.sets]
    for event in commit.events:
        for place in ("event", "outbox"):
            key = f"{place}:{sequence_text(event.sequence)}"
            found.append(("create", row(partition, key, event.to_cloudevent()), _INSERT))
    return found


def _set_operation(partition: str, made: FileSet) -> Operation:
    key = row_key("set", f"v{made.major}", made.object_name, made.folder)
    state = "complete" if made.is_complete else OPEN
    return ("upsert", row(partition, key, made, state=state), _REPLACE)


def _state_rows(partition: str, commit: Commit) -> Iterator[dict[str, Any]]:
    """Rows that hold how something stands now."""
    for told in commit.inputs:
        yield row(partition, row_key("input", told.period, told.port), told)
    for awaited in commit.awaited:
        key = row_key("awaited", f"v{awaited.major}", awaited.object_name)
        yield row(partition, key, awaited)
    for agreed in commit.agreements:
        yield row(partition, row_key("agreement", agreed.consumer), agreed)
    for notice in commit.notices:
        yield row(partition, notice_key(notice.port, notice.major), notice)
    for told_of in commit.told_of:
        yield row(partition, row_key("told", told_of.key), told_of)


def notice_key(port: str, major: int) -> str:
    """RowKey of a notice."""
    return row_key("notice", port, f"{major:06d}")


def _ledger_rows(partition: str, entry: LedgerEntry) -> tuple[dict[str, Any], dict[str, Any]]:
    """A decision by its drop, and the same among the newest."""
    recent = row_key("recent", _countdown(entry.decided_at), entry.drop)
    return (
        row(partition, row_key("drop", entry.drop), entry),
        row(partition, recent, entry, file=digest(entry.file)),
    )


def _head_operation(head: Head) -> Operation:
    entity = row(head.id.key, "head", replace(head, etag=None))
    if head.etag is None:
        return ("create", entity, _INSERT)
    condition = {"etag": head.etag, "match_condition": MatchConditions.IfNotModified}
    return ("update", entity, {**_REPLACE, **condition})


def _countdown(at: datetime) -> str:
    """Later times come first, as strings."""
    return f"{_LAST - (at - _EPOCH) // timedelta(microseconds=1):017d}"


def digest(file: str) -> str:
    """Of a file's name, which may be of any length and in any script: queries are URLs."""
    return hashlib.sha256(file.encode(errors="surrogatepass")).hexdigest()
