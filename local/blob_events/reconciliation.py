"""Compare a storage account with the record of what was announced."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from local.blob_events.account import Account, Stored
from local.blob_events.changes import Blob, Deleted, Written
from local.blob_events.interest import Interest
from local.blob_events.record import Known, Record


@dataclass(kw_only=True, slots=True)
class Differences:
    """What the account has and the record has not, and the reverse."""

    new: list[Stored] = field(default_factory=list)
    """Versions that nobody was told about."""
    gone: list[Blob] = field(default_factory=list)
    baseline: dict[str, list[Stored]] = field(default_factory=dict)
    """Containers that are watched for the first time, with what is in them: that is no news, as
    a new event subscription in Azure hears nothing of blobs that exist already."""

    @property
    def suspects(self) -> bool:
        return bool(self.new or self.gone)

    async def as_written(
        self, stored: Stored, known: Known | None, account: Account, now: int
    ) -> Written | None:
        """The write that must have made this version; None when it is not the current one."""
        if await account.blob(stored.blob, etag=stored.etag) is None:
            return None
        if stored.was_copied:
            api = "CopyBlob"
        elif stored.blob_type == "BlockBlob" and await account.has_blocks(stored.blob):
            api = "PutBlockList"
        else:
            api = "PutBlob"
        return Written(
            blob=stored.blob,
            sequence=max(now, known.sequence + 1 if known else 0),
            api=api,
            etag=stored.etag,
            request_id=_derived(stored.blob, stored.etag),
            client_request_id=None,
            blob_type=stored.blob_type,
            content_type=stored.content_type,
            content_length=stored.content_length,
        )

    def as_deleted(self, blob: Blob, known: Known, now: int) -> Deleted:
        """The deletion that must have happened."""
        return Deleted(
            blob=blob,
            sequence=max(now, known.sequence + 1),
            request_id=_derived(blob, f"{known.etag} deleted"),
            client_request_id=None,
        )

    def remember_baseline(self, record: Record, now: int) -> None:
        """From now on these containers are known."""
        for container, blobs in self.baseline.items():
            unknown = [stored for stored in blobs if record.known(stored.blob) is None]
            record.commit([(stored.blob, _as_known(stored, now)) for stored in unknown], None)
            record.add_container(container)


async def find_differences(account: Account, record: Record, interest: Interest) -> Differences:
    """List the watched containers and compare.

    Raises:
        AccountUnavailable: the account does not answer.
    """
    differences = Differences()
    known_containers = record.containers()
    existing = [name for name in await account.containers() if interest.includes(name)]
    for name in known_containers.difference(existing):
        if interest.includes(name):
            record.forget_container(name)
    for container in existing:
        stored = [blob async for blob in account.blobs(container)]
        if container in known_containers:
            _compare(container, stored, record.etags(container), differences)
        else:
            differences.baseline[container] = stored
    return differences


def _compare(
    container: str, stored: list[Stored], etags: dict[str, str], differences: Differences
) -> None:
    for each in stored:
        known = etags.pop(each.blob.name, None)
        changed = known != each.etag
        if known is None or (changed and each.blob_type == "BlockBlob"):
            # An append or a page write changes the ETag and is no news in Azure.
            differences.new.append(each)
    differences.gone += [Blob(container=container, name=name) for name in etags]


def _as_known(stored: Stored, now: int) -> Known:
    return Known(
        etag=stored.etag,
        sequence=now,
        blob_type=stored.blob_type,
        content_type=stored.content_type,
    )


def _derived(blob: Blob, detail: str) -> str:
    """A request id, the same each time when the same difference is found again."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{blob.container}/{blob.name}\n{detail}"))
