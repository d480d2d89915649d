"""The audit log, in the table `audit`: one partition per log.

    NUMBER         AuditEntry, only ever added; counts down, so that the newest comes first
    intent:KEY     Intent, until it has become an entry

Whoever adds reads the newest and creates the row after it: of two at the same time one finds it
there, and tries again. The entry that an intent becomes is created in the transaction that takes
the intent away, so that there is one of them, however often that is tried.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from mesh.azure.clients import Clients
from mesh.azure.failures import code_of, unavailable
from mesh.azure.rows import between, get, noun, row, row_key, unchanged, under
from mesh.errors import Conflict
from mesh.model.audit import AuditEntry, Deed, Intent, following

TABLE = "audit"
ATTEMPTS = 20
_LAST = 10**12 - 1
_LOST = {"EntityAlreadyExists", "UpdateConditionNotSatisfied", "ConditionNotMet"}
_GONE = {"ResourceNotFound", "EntityNotFound"}


class TableAudit:
    """`mesh.ports.Audit` on Azure Table storage."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def append(self, deed: Deed) -> AuditEntry:
        for attempt in range(ATTEMPTS):
            entry, made = self._next(deed)
            with unavailable(f"Writing the audit log of {deed.log}"):
                try:
                    self._table.create_entity(made)
                except ResourceExistsError:
                    _pause(attempt)
                else:
                    return entry
        raise _too_slow(deed.log)

    def entries(self, log: str, *, limit: int) -> Sequence[AuditEntry]:
        found = between(self._table, row_key(log), "0", ":", limit=limit)
        return [noun(AuditEntry, entity) for entity in found]

    def begin(self, intent: Intent) -> Intent:
        log = intent.deed.log
        for attempt in range(ATTEMPTS):
            with unavailable(f"Writing the audit log of {log}"):
                try:
                    self._table.create_entity(_row(intent))
                except ResourceExistsError:
                    known = self._known(intent)
                    if known is not None:
                        return known
                    _pause(attempt)
                else:
                    return intent
        raise _too_slow(log)

    def conclude(self, intent: Intent, deed: Deed) -> AuditEntry | None:
        for attempt in range(ATTEMPTS):
            known = get(self._table, row_key(deed.log), _key(intent))
            if known is None or noun(Intent, known).id != intent.id:
                return None
            entry, made = self._next(deed)
            taken = {"PartitionKey": made["PartitionKey"], "RowKey": _key(intent)}
            operations = [("create", made, {}), ("delete", taken, unchanged(known))]
            with unavailable(f"Writing the audit log of {deed.log}"):
                try:
                    self._table.submit_transaction(operations)
                except HttpResponseError as failure:
                    if code_of(failure) not in _LOST | _GONE:
                        raise
                    _pause(attempt)
                else:
                    return entry
        raise _too_slow(deed.log)

    def withdraw(self, intent: Intent) -> None:
        with unavailable(f"Writing the audit log of {intent.deed.log}"):
            self._table.delete_entity(row_key(intent.deed.log), _key(intent))

    def count(self, intent: Intent) -> None:
        for attempt in range(ATTEMPTS):
            entity = get(self._table, row_key(intent.deed.log), _key(intent))
            if entity is None:
                return
            known = noun(Intent, entity)
            with unavailable(f"Writing the audit log of {intent.deed.log}"):
                try:
                    counted = _row(replace(known, count=known.count + 1))
                    self._table.update_entity(counted, mode="replace", **unchanged(entity))
                except ResourceNotFoundError:
                    return
                except HttpResponseError as failure:
                    if code_of(failure) not in _LOST:
                        raise
                    _pause(attempt)
                else:
                    return
        raise _too_slow(intent.deed.log)

    def intents(self, log: str) -> Sequence[Intent]:
        return [noun(Intent, entity) for entity in under(self._table, row_key(log), "intent")]

    def _next(self, deed: Deed) -> tuple[AuditEntry, dict[str, Any]]:
        """The entry that a deed becomes, if nobody is faster, and its row."""
        newest = self.entries(deed.log, limit=1)
        entry = following(newest[0] if newest else None, deed)
        return entry, row(row_key(deed.log), f"{_LAST - entry.number:012d}", entry)

    def _known(self, intent: Intent) -> Intent | None:
        found = get(self._table, row_key(intent.deed.log), _key(intent))
        return None if found is None else noun(Intent, found)

    @property
    def _table(self) -> Any:
        return self._clients.table(TABLE)


def _row(intent: Intent) -> dict[str, Any]:
    return row(row_key(intent.deed.log), _key(intent), intent)


def _key(intent: Intent) -> str:
    return row_key("intent", intent.key)


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311 - it spreads load


def _too_slow(log: str) -> Conflict:
    message = f"Others wrote into the audit log of {log} faster, {ATTEMPTS} times."
    return Conflict(message)
