"""Announce what happens to the blobs of a storage account: BlobCreated and BlobDeleted.

The journal that the local Azurite writes tells of every write with its own ETag and request id, so
that two quick writes give two events, each with what it wrote. Behind it works a safety net: the
account is listed at the start, after a batch request and every few minutes, and compared with the
record of what was announced. What only the list tells, for example because everything was killed
between a write and its line in the journal, is announced late, and of several versions only the
last. Without a journal the list is all there is: then a change of metadata looks like a write.

A first start announces what the journal still holds, and takes all else in the account as known.
Announcing is at least once, as in Azure: an event is published before that is written down. When a
crash comes between, it is published again with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from local.blob_events.account import Account, AccountUnavailable
from local.blob_events.batch import Batch
from local.blob_events.changes import (
    Change,
    ContainerDeleted,
    Deleted,
    Touched,
    Unclear,
    Written,
    read_change,
)
from local.blob_events.interest import GetInterest
from local.blob_events.journal import Journal, Position
from local.blob_events.reconciliation import Differences, find_differences
from local.blob_events.record import Known, Record
from local.blob_events.shapes import Announcement, created, deleted

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 2.0

Publish = Callable[[Sequence[Announcement]], None]
"""Takes announcements; they are safe when it returns."""


class BlobEvents:
    """The source of blob events of one account: `async with BlobEvents(…): …`."""

    def __init__(
        self,
        *,
        storage: str,
        publish: Publish,
        interest: GetInterest,
        journal: Path | None,
        record: Path | None,
        reconcile_seconds: float = 300.0,
        settle_seconds: float = 1.0,
    ) -> None:
        """Prepare; nothing happens before `start`.

        Args:
            storage: Connection string of the account.
            publish: Where announcements go.
            interest: Which containers are watched now.
            journal: The folder of Azurite's journal, if it is the local Azurite.
            record: The file that holds what was announced; None keeps it in memory.
            reconcile_seconds: How often the account is listed.
            settle_seconds: How old a difference must be before it counts: the journal's line may
                be on its way.
        """
        self._storage, self._publish, self._interest = storage, publish, interest
        self._journal = Journal(journal) if journal else None
        self._record_file = record
        self._reconcile_seconds, self._settle_seconds = reconcile_seconds, settle_seconds
        self._reading = asyncio.Lock()
        self._reconcile_soon = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to announce.

        Raises:
            LocalError: the record is in use, damaged, or cannot be written.
        """
        self._record = Record(self._record_file)
        self._account = Account(self._storage)
        self._tasks = [asyncio.create_task(self._reconcile_for_ever())]
        if self._journal is not None:
            self._tasks.append(asyncio.create_task(self._follow_journal()))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._journal is not None:
            self._journal.close()
        await self._account.__aexit__(None, None, None)
        self._record.close()

    async def reconcile(self) -> int:
        """Compare the account with the record now; how many events were missing.

        Raises:
            AccountUnavailable: the account does not answer.
        """
        await self._drain_journal()
        differences = await find_differences(self._account, self._record, self._interest())
        if differences.suspects:
            await asyncio.sleep(self._settle_seconds)
            await self._drain_journal()
        return await self._announce_differences(differences)

    async def _follow_journal(self) -> None:
        assert self._journal is not None, "there is no journal to follow"
        while True:
            try:
                await self._drain_journal()
            except AccountUnavailable:
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:  # noqa: BLE001 - one failure must not end all announcing
                _LOG.exception("Reading the journal of blob changes failed; trying again")
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                await self._journal.grown()

    async def _reconcile_for_ever(self) -> None:
        while True:
            pause = self._reconcile_seconds
            self._reconcile_soon.clear()
            try:
                await self.reconcile()
            except AccountUnavailable:
                pause = _RETRY_SECONDS
            except Exception:  # noqa: BLE001 - the next comparison may succeed
                _LOG.exception("Comparing the storage account with the record failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._reconcile_soon.wait()

    async def _drain_journal(self) -> None:
        if self._journal is None:
            return
        async with self._reading:
            while True:
                position = self._record.position
                lines, end = self._journal.read(position)
                if lines:
                    await self._take([self._read(line) for line in lines], end)
                elif end != position:
                    self._record.commit([], end)
                if end.segment > position.segment:
                    self._journal.forget_before(end)
                if not lines:
                    return

    def _read(self, line: bytes) -> Change | None:
        try:
            return read_change(json.loads(line), self._account.name)
        except (ValueError, KeyError, TypeError, AttributeError):
            _LOG.warning("The journal has a line that nobody understands; comparing: %r", line)
            self._reconcile_soon.set()
            return None

    async def _take(self, changes: Sequence[Change | None], end: Position) -> None:
        """Announce changes of the journal, then remember them: in this order, for a crash."""
        interest = self._interest()
        batch = Batch(self._record)
        for change in changes:
            if isinstance(change, Unclear):
                self._reconcile_soon.set()
            elif isinstance(change, ContainerDeleted):
                batch.forget(change.container)
            elif change is not None and interest.includes(change.blob.container):
                await self._understand(change, batch)
        if batch.announcements:
            self._publish(batch.announcements)
        batch.commit(end)

    async def _understand(self, change: Written | Deleted | Touched, batch: Batch) -> None:
        before = batch.known(change.blob)
        if isinstance(change, Touched):
            batch.news[change.blob] = before and dataclasses.replace(before, etag=change.etag)
        elif isinstance(change, Deleted):
            batch.announcements.append(deleted(change, self._account.endpoint, before))
            batch.news[change.blob] = None
        elif before is None or before.etag != change.etag:  # else: announced by comparing
            change = await self._complete(change, before)
            batch.announcements.append(created(change, self._account.endpoint))
            batch.news[change.blob] = Known(
                etag=change.etag,
                sequence=change.sequence,
                blob_type=change.blob_type,
                content_type=change.content_type,
            )

    async def _complete(self, change: Written, before: Known | None) -> Written:
        """Ask the account for what the request did not tell, while that version is there."""
        if before is not None and change.sequence <= before.sequence:  # the clock was set back
            change = dataclasses.replace(change, sequence=before.sequence + 1)
        if change.content_length is not None and change.blob_type is not None:
            return change
        stored = await self._account.blob(change.blob, etag=change.etag)
        if stored is None:
            return change
        return dataclasses.replace(
            change,
            blob_type=stored.blob_type,
            content_type=stored.content_type,
            content_length=stored.content_length,
        )

    async def _announce_differences(self, differences: Differences) -> int:
        async with self._reading:
            batch = Batch(self._record)
            for stored in differences.new:
                known = self._record.known(stored.blob)
                if known is not None and known.etag == stored.etag:
                    continue
                change = await differences.as_written(stored, known, self._account, _now())
                if change is not None:
                    await self._understand(change, batch)
            for blob in differences.gone:
                known = self._record.known(blob)
                if known is not None and await self._account.blob(blob) is None:
                    await self._understand(differences.as_deleted(blob, known, _now()), batch)
            if batch.announcements:
                self._publish(batch.announcements)
            batch.commit(None)
            differences.remember_baseline(self._record, _now())
        return len(batch.announcements)


def _now() -> int:
    return time.time_ns() // 1000
