"""The record, in the table `record`.

The PartitionKey is `DOMAIN.PRODUCT`, so that a change of a product is one entity group transaction,
and one product's load is its own. The RowKeys:

    head                           Head; every change replaces it, if it is still the one read
    contract:PORT:VERSION          ContractEntry
    drop:BLOB-VERSION              LedgerEntry; the versions of one blob are one range
    recent:TIME:BLOB-VERSION       the same, newest first (TIME counts down); `file` is a digest
    snapshot:vMAJOR:OBJECT         Snapshot
    input:PERIOD:PORT              InputState
    awaited:vMAJOR:OBJECT          Awaited
    set:vMAJOR:OBJECT:FOLDER       FileSet; `state` is open or complete
    agreement:CONSUMER             Agreement
    notice:PORT:MAJOR              Notice
    told:KEY                       ToldOf, in the stream of the domain that was told
    suspect:BLOB-VERSION:MESSAGE:N Suspicion, of delivery N of a message
    event:SEQUENCE                 a CloudEvent
    outbox:SEQUENCE                the same, until it is known to have been published

A table sorts by key and has no other index: hence `recent`, and the outbox with the whole event.
Reads are point reads or ranges within the partition; each method costs one storage transaction,
plus one for each further thousand rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.data.tables import UpdateMode

from mesh.azure.clients import Clients
from mesh.azure.commits import OPEN, digest, notice_key, operations
from mesh.azure.failures import code_of, unavailable
from mesh.azure.rows import (
    MOST_OPERATIONS,
    between,
    check_transaction,
    document,
    get,
    noun,
    row,
    row_key,
    under,
)
from mesh.errors import Conflict
from mesh.model.agreement import Agreement
from mesh.model.events import sequence_text
from mesh.model.expectation import Awaited
from mesh.model.file_set import FileSet
from mesh.model.names import ProductId
from mesh.model.notice import Notice, ToldOf
from mesh.model.record import (
    Commit,
    ContractEntry,
    Head,
    InputState,
    LedgerEntry,
    Snapshot,
    Suspicion,
)

TABLE = "record"

_LOST = {"UpdateConditionNotSatisfied", "ConditionNotMet", "EntityAlreadyExists"}
_GONE = {"ResourceNotFound", "EntityNotFound"}


class TableRegistry:
    """`mesh.ports.Registry` on Azure Table storage."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def head(self, product: ProductId) -> Head:
        found = get(self._table, product.key, "head")
        if found is None:
            return Head.new(product)
        return replace(noun(Head, found), etag=found.metadata["etag"])

    def commit(self, commit: Commit) -> None:
        """See `mesh.ports.Registry.commit`.

        A `Conflict` may be one with ourselves: when the answer to a transaction is lost, the SDK
        sends it again. Whoever reads again then finds the change made.

        Raises:
            Conflict: the head, or the decision about the file, has been written meanwhile.
            Rejected: the change is larger than a table allows.
        """
        changes = operations(commit)
        check_transaction(entity for _, entity, _ in changes)
        product = commit.head.id
        with unavailable(f"Changing the record of {product}"):
            try:
                self._table.submit_transaction(changes)
            except HttpResponseError as failure:
                if code_of(failure) not in _LOST | _GONE:
                    raise
                message = f"The record of {product} was changed by another writer since it was read"
                raise Conflict(f"{message} ({code_of(failure)}).") from None

    def versions(self, product: ProductId, blob_key: str) -> Sequence[LedgerEntry]:
        start = row_key("drop", blob_key)
        found = between(self._table, product.key, f"{start}-", f"{start}.")
        return [noun(LedgerEntry, entity) for entity in found]

    def entry(self, product: ProductId, drop: str) -> LedgerEntry | None:
        found = get(self._table, product.key, row_key("drop", drop))
        return None if found is None else noun(LedgerEntry, found)

    def entries(
        self, product: ProductId, *, file: str | None = None, limit: int
    ) -> Sequence[LedgerEntry]:
        column = None if file is None else ("file", digest(file))
        found = between(self._table, product.key, "recent:", "recent;", limit=limit, column=column)
        return [noun(LedgerEntry, entity) for entity in found]

    def contract(self, product: ProductId, key: str) -> ContractEntry | None:
        found = get(self._table, product.key, row_key("contract", *key.split(":")))
        return None if found is None else noun(ContractEntry, found)

    def contracts(self, product: ProductId) -> Sequence[ContractEntry]:
        return [noun(ContractEntry, found) for found in under(self._table, product.key, "contract")]

    def snapshots(self, product: ProductId) -> Sequence[Snapshot]:
        return [noun(Snapshot, found) for found in under(self._table, product.key, "snapshot")]

    def awaited(self, product: ProductId) -> Sequence[Awaited]:
        return [noun(Awaited, found) for found in under(self._table, product.key, "awaited")]

    def file_set(
        self, product: ProductId, major: int, object_name: str, folder: str
    ) -> FileSet | None:
        key = row_key("set", f"v{major}", object_name, folder)
        found = get(self._table, product.key, key)
        return None if found is None else noun(FileSet, found)

    def file_sets(self, product: ProductId, *, open_only: bool = False) -> Sequence[FileSet]:
        column = ("state", OPEN) if open_only else None
        found = between(self._table, product.key, "set:", "set;", column=column)
        return [noun(FileSet, entity) for entity in found]

    def agreement(self, product: ProductId, consumer: str) -> Agreement | None:
        found = get(self._table, product.key, row_key("agreement", consumer))
        return None if found is None else noun(Agreement, found)

    def agreements(self, product: ProductId) -> Sequence[Agreement]:
        return [noun(Agreement, found) for found in under(self._table, product.key, "agreement")]

    def notice(self, product: ProductId, port: str, major: int) -> Notice | None:
        found = get(self._table, product.key, notice_key(port, major))
        return None if found is None else noun(Notice, found)

    def notices(self, product: ProductId) -> Sequence[Notice]:
        return [noun(Notice, found) for found in under(self._table, product.key, "notice")]

    def told_of(self, stream: ProductId, key: str) -> ToldOf | None:
        found = get(self._table, stream.key, row_key("told", key))
        return None if found is None else noun(ToldOf, found)

    def inputs(self, product: ProductId, period: str) -> Sequence[InputState]:
        found = under(self._table, product.key, "input", period)
        return [noun(InputState, entity) for entity in found]

    def events(self, product: ProductId, *, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
        low = f"event:{sequence_text(after + 1)}"
        found = between(self._table, product.key, low, "event;", limit=limit)
        return [document(entity) for entity in found]

    def outbox(self, product: ProductId, *, limit: int) -> Sequence[Mapping[str, Any]]:
        found = between(self._table, product.key, "outbox:", "outbox;", limit=limit)
        return [document(entity) for entity in found]

    def relayed(self, product: ProductId, sequences: Sequence[int]) -> None:
        keys = [f"outbox:{sequence_text(sequence)}" for sequence in sequences]
        for start in range(0, len(keys), MOST_OPERATIONS):
            some = keys[start : start + MOST_OPERATIONS]
            self._delete(product, some, why=f"Taking events of {product} off the outbox")

    def suspicions(self, product: ProductId, drop: str, message: str) -> Sequence[Suspicion]:
        found = under(self._table, product.key, "suspect", drop, message)
        return [noun(Suspicion, entity) for entity in found]

    def suspect(self, product: ProductId, suspicion: Suspicion) -> None:
        entity = row(product.key, _suspicion_key(suspicion), suspicion)
        with unavailable(f"Noting a suspicion against {suspicion.drop} of {product}"):
            self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)

    def acquit(self, product: ProductId, drop: str, message: str) -> None:
        keys = [_suspicion_key(known) for known in self.suspicions(product, drop, message)]
        self._delete(product, keys, why=f"Forgetting the suspicions against {drop} of {product}")

    def _delete(self, product: ProductId, keys: Sequence[str], *, why: str) -> None:
        with unavailable(why):
            if len(keys) > 1:
                rows = [{"PartitionKey": product.key, "RowKey": key} for key in keys]
                try:
                    self._table.submit_transaction([("delete", entity) for entity in rows])
                except HttpResponseError as failure:
                    # One row that is no longer there fails all: the others go one by one then.
                    if code_of(failure) not in _GONE:
                        raise
                else:
                    return
            for key in keys:
                self._table.delete_entity(product.key, key)

    @property
    def _table(self) -> Any:
        return self._clients.table(TABLE)


def _suspicion_key(suspicion: Suspicion) -> str:
    delivery = f"{suspicion.delivery:06d}"
    return row_key("suspect", suspicion.drop, suspicion.message, delivery)
