"""The record, in memory."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.errors import Conflict
from mesh.model.agreement import Agreement
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


@dataclass(slots=True)
class _Partition:
    """Everything about one product."""

    head: Head | None = None
    entries: dict[str, LedgerEntry] = field(default_factory=dict)
    contracts: dict[str, ContractEntry] = field(default_factory=dict)
    snapshots: dict[tuple[int, str], Snapshot] = field(default_factory=dict)
    inputs: dict[tuple[str, str], InputState] = field(default_factory=dict)
    awaited: dict[tuple[int, str], Awaited] = field(default_factory=dict)
    sets: dict[tuple[int, str, str], FileSet] = field(default_factory=dict)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    notices: dict[tuple[str, int], Notice] = field(default_factory=dict)
    told_of: dict[str, ToldOf] = field(default_factory=dict)
    events: dict[int, str] = field(default_factory=dict)
    outbox: set[int] = field(default_factory=set)
    suspicions: dict[tuple[str, str, int], Suspicion] = field(default_factory=dict)


class Registry:
    """`mesh.ports.Registry` in memory.

    Attributes:
        commits: every change that succeeded, in order.
    """

    def __init__(self) -> None:
        self.commits: list[Commit] = []
        self._partitions: defaultdict[ProductId, _Partition] = defaultdict(_Partition)
        self._lock = threading.RLock()

    def head(self, product: ProductId) -> Head:
        with self._lock:
            return self._partitions[product].head or Head.new(product)

    def commit(self, commit: Commit) -> None:
        with self._lock:
            partition = self._partitions[commit.head.id]
            _check(partition, commit)
            self.commits.append(commit)
            partition.head = replace(commit.head, etag=f'W/"{len(self.commits)}"')
            if commit.entry is not None:
                partition.entries[commit.entry.drop] = commit.entry
            if commit.repeated is not None:
                partition.entries[commit.repeated.drop] = commit.repeated
            if commit.mended is not None:
                partition.entries[commit.mended.drop] = commit.mended
            if commit.snapshot is not None:
                key = (commit.snapshot.major, commit.snapshot.object_name)
                partition.snapshots[key] = commit.snapshot
            partition.contracts.update({contract.key: contract for contract in commit.contracts})
            partition.inputs.update({(told.period, told.port): told for told in commit.inputs})
            for awaited in commit.awaited:
                partition.awaited[awaited.major, awaited.object_name] = awaited
            for told in commit.sets:
                partition.sets[told.major, told.object_name, told.folder] = told
            for agreed in commit.agreements:
                partition.agreements[agreed.consumer] = agreed
            for notice in commit.notices:
                partition.notices[notice.port, notice.major] = notice
            partition.told_of.update({one.key: one for one in commit.told_of})
            for event in commit.events:
                partition.events[event.sequence] = json.dumps(event.to_cloudevent())
                partition.outbox.add(event.sequence)

    def versions(self, product: ProductId, blob_key: str) -> Sequence[LedgerEntry]:
        with self._lock:
            entries = self._partitions[product].entries
            return [entries[drop] for drop in sorted(entries) if drop.startswith(f"{blob_key}-")]

    def entry(self, product: ProductId, drop: str) -> LedgerEntry | None:
        with self._lock:
            return self._partitions[product].entries.get(drop)

    def entries(
        self, product: ProductId, *, file: str | None = None, limit: int
    ) -> Sequence[LedgerEntry]:
        with self._lock:
            found = [
                entry
                for entry in self._partitions[product].entries.values()
                if file is None or entry.file == file
            ]
        found.sort(key=lambda entry: entry.drop)
        found.sort(key=lambda entry: entry.decided_at, reverse=True)
        return found[:limit]

    def contract(self, product: ProductId, key: str) -> ContractEntry | None:
        with self._lock:
            return self._partitions[product].contracts.get(key)

    def contracts(self, product: ProductId) -> Sequence[ContractEntry]:
        with self._lock:
            contracts = self._partitions[product].contracts
            return [contracts[key] for key in sorted(contracts)]

    def snapshots(self, product: ProductId) -> Sequence[Snapshot]:
        with self._lock:
            return list(self._partitions[product].snapshots.values())

    def awaited(self, product: ProductId) -> Sequence[Awaited]:
        with self._lock:
            awaited = self._partitions[product].awaited
            return [awaited[key] for key in sorted(awaited)]

    def file_set(
        self, product: ProductId, major: int, object_name: str, folder: str
    ) -> FileSet | None:
        with self._lock:
            return self._partitions[product].sets.get((major, object_name, folder))

    def file_sets(self, product: ProductId, *, open_only: bool = False) -> Sequence[FileSet]:
        with self._lock:
            sets = self._partitions[product].sets
            found = [sets[key] for key in sorted(sets)]
        return [state for state in found if not (open_only and state.is_complete)]

    def agreement(self, product: ProductId, consumer: str) -> Agreement | None:
        with self._lock:
            return self._partitions[product].agreements.get(consumer)

    def agreements(self, product: ProductId) -> Sequence[Agreement]:
        with self._lock:
            found = self._partitions[product].agreements
            return [found[consumer] for consumer in sorted(found)]

    def notice(self, product: ProductId, port: str, major: int) -> Notice | None:
        with self._lock:
            return self._partitions[product].notices.get((port, major))

    def notices(self, product: ProductId) -> Sequence[Notice]:
        with self._lock:
            found = self._partitions[product].notices
            return [found[key] for key in sorted(found)]

    def told_of(self, stream: ProductId, key: str) -> ToldOf | None:
        with self._lock:
            return self._partitions[stream].told_of.get(key)

    def inputs(self, product: ProductId, period: str) -> Sequence[InputState]:
        with self._lock:
            inputs = self._partitions[product].inputs
            return [inputs[key] for key in sorted(inputs) if key[0] == period]

    def events(self, product: ProductId, *, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
        with self._lock:
            events = self._partitions[product].events
            chosen = [sequence for sequence in sorted(events) if sequence > after][:limit]
            return [json.loads(events[sequence]) for sequence in chosen]

    def outbox(self, product: ProductId, *, limit: int) -> Sequence[Mapping[str, Any]]:
        with self._lock:
            partition = self._partitions[product]
            return [json.loads(partition.events[at]) for at in sorted(partition.outbox)[:limit]]

    def relayed(self, product: ProductId, sequences: Sequence[int]) -> None:
        with self._lock:
            self._partitions[product].outbox.difference_update(sequences)

    def suspicions(self, product: ProductId, drop: str, message: str) -> Sequence[Suspicion]:
        with self._lock:
            held = self._partitions[product].suspicions
            return [held[key] for key in sorted(held) if key[:2] == (drop, message)]

    def suspect(self, product: ProductId, suspicion: Suspicion) -> None:
        with self._lock:
            self._partitions[product].suspicions[suspicion.key] = suspicion

    def acquit(self, product: ProductId, drop: str, message: str) -> None:
        with self._lock:
            for known in self.suspicions(product, drop, message):
                del self._partitions[product].suspicions[known.key]


def _check(partition: _Partition, commit: Commit) -> None:
    product = commit.head.id
    if commit.head.etag != (partition.head and partition.head.etag):
        message = f"The record of {product} was changed by another writer since it was read."
        raise Conflict(message)
    if commit.entry is not None and commit.entry.drop in partition.entries:
        message = f"The record of {product} holds a decision about {commit.entry.drop} already."
        raise Conflict(message)
    for event in commit.events:
        if event.sequence in partition.events:
            message = f"The record of {product} holds an event {event.sequence} already."
            raise Conflict(message)
