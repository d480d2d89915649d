"""Blob events of a real Azurite, written to with Microsoft's SDK."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local.azurite import Azurite, Endpoints
from local.blob_events import BlobEvents, Interest
from local.blob_events.shapes import Announcement

pytestmark = pytest.mark.asyncio


class Listener:
    """Collects what is announced."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._more = asyncio.Event()
        self.broken = False

    def publish(self, announcements: Sequence[Announcement]) -> None:
        self.events += [each.event for each in announcements]
        self._more.set()
        if self.broken:
            message = "the process died just after publishing"
            raise RuntimeError(message)

    async def heard(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(20):
            while len(self.events) < count:
                self._more.clear()
                await self._more.wait()
        return self.events

    def told(self) -> list[tuple[str, str]]:
        return [
            (event["eventType"].rpartition(".")[2], event["subject"].rpartition("/blobs/")[2])
            for event in self.events
        ]


@pytest_asyncio.fixture
async def container(azurite: Endpoints) -> AsyncIterator[ContainerClient]:
    name = f"c-{uuid.uuid4()}"
    async with (
        BlobServiceClient.from_connection_string(azurite.connection_string) as service,
        await service.create_container(name) as container,
    ):
        yield container


@pytest.fixture
def listener() -> Listener:
    return Listener()


def source(
    azurite: Endpoints, container: ContainerClient, listener: Listener, **changes: Any
) -> BlobEvents:
    """Blob events of this container only; other tests use the same account."""
    interest = Interest(names=frozenset({container.container_name}))
    options: dict[str, Any] = {
        "storage": azurite.connection_string,
        "publish": listener.publish,
        "interest": lambda: interest,
        "journal": azurite.journal,
        "record": None,
        "settle_seconds": 0.05,
    }
    return BlobEvents(**{**options, **changes})


async def test_each_way_to_write_is_announced_with_what_it_wrote(
    azurite: Endpoints, container: ContainerClient, listener: Listener
) -> None:
    async with source(azurite, container, listener):
        text = ContentSettings(content_type="text/csv")
        put = await container.upload_blob("put a.csv", b"12345", content_settings=text)
        blocks = container.get_blob_client("blocks.csv")
        await blocks.stage_block("MQ==", b"123")
        await blocks.stage_block("Mg==", b"4567")
        await blocks.commit_block_list([BlobBlock("MQ=="), BlobBlock("Mg==")])
        copied = container.get_blob_client("copied.csv")
        await copied.start_copy_from_url(put.url)
        appended = container.get_blob_client("appended.log")
        await appended.create_append_blob()
        await appended.append_block(b"more")
        paged = container.get_blob_client("paged.vhd")
        await paged.create_page_blob(512)
        events = await listener.heard(5)
        found = [event["data"] for event in events]
    shown = [(d["api"], d["blobType"], d["contentType"], d["contentLength"]) for d in found]
    assert shown == [
        ("PutBlob", "BlockBlob", "text/csv", 5),
        ("PutBlockList", "BlockBlob", "application/octet-stream", 7),
        ("CopyBlob", "BlockBlob", "text/csv", 5),
        ("PutBlob", "AppendBlob", "application/octet-stream", 0),
        ("PutBlob", "PageBlob", "application/octet-stream", 512),
    ]
    for data, client in zip(found[:3], (put, blocks, copied), strict=True):
        assert data["url"] == client.url
        assert f'"{data["eTag"]}"' == (await client.get_blob_properties()).etag
    sequencers = [data["sequencer"] for data in found]
    assert sequencers == sorted(set(sequencers))


async def test_two_quick_writes_are_two_events_with_their_own_etags(
    azurite: Endpoints, container: ContainerClient, listener: Listener
) -> None:
    client = container.get_blob_client("same.csv")
    etags = [(await client.upload_blob(text, overwrite=True))["etag"] for text in (b"1", b"22")]
    async with source(azurite, container, listener):
        events = await listener.heard(2)
    assert [f'"{event["data"]["eTag"]}"' for event in events] == etags
    assert [event["data"]["contentLength"] for event in events] == [1, 2]
    assert events[0]["data"]["sequencer"] < events[1]["data"]["sequencer"]
    assert events[0]["subject"] == events[1]["subject"]


async def test_an_overwritten_block_list_has_no_length_rather_than_a_wrong_one(
    azurite: Endpoints, container: ContainerClient, listener: Listener
) -> None:
    client = container.get_blob_client("same.csv")
    await client.stage_block("MQ==", b"123")
    await client.commit_block_list([BlobBlock("MQ==")])
    await client.upload_blob(b"other", overwrite=True)
    async with source(azurite, container, listener):
        first, second = await listener.heard(2)
    assert "contentLength" not in first["data"]
    assert second["data"]["contentLength"] == 5


async def test_deletions_are_announced_one_by_one_or_in_a_batch(
    azurite: Endpoints, container: ContainerClient, listener: Listener
) -> None:
    text = ContentSettings(content_type="text/csv")
    async with source(azurite, container, listener, reconcile_seconds=0.1):
        for name in ("a", "b", "c"):
            await container.upload_blob(name, b"1", content_settings=text)
        await listener.heard(3)
        await container.delete_blob("a")
        await listener.heard(4)
        await container.delete_blobs("b", "c")
        events = await listener.heard(6)
    assert listener.told()[3] == ("BlobDeleted", "a")
    assert sorted(listener.told()[4:]) == [("BlobDeleted", "b"), ("BlobDeleted", "c")]
    for event in events[3:]:
        assert event["data"]["contentType"] == "text/csv"
        assert event["data"]["blobType"] == "BlockBlob"
    assert events[3]["data"]["sequencer"] > events[0]["data"]["sequencer"]


async def test_metadata_properties_and_leases_are_no_news(
    azurite: Endpoints, container: ContainerClient, listener: Listener
) -> None:
    async with source(azurite, container, listener) as events:
        client = await container.upload_blob("a", b"1")
        await listener.heard(1)
        await client.set_blob_metadata({"k": "v"})
        await client.set_http_headers(ContentSettings(content_type="text/plain"))
        await client.create_snapshot()
        lease = await client.acquire_lease()
        await lease.release()
        assert await events.reconcile() == 0
    assert listener.told() == [("BlobCreated", "a")]


async def test_what_was_there_before_is_no_news(
    azurite: Endpoints, container: ContainerClient, listener: Listener, tmp_path: Path
) -> None:
    await container.upload_blob("old", b"1")
    async with source(azurite, container, listener, journal=tmp_path / "none") as events:
        assert await events.reconcile() == 0
        await container.upload_blob("new", b"1")
        assert await events.reconcile() == 1
    assert listener.told() == [("BlobCreated", "new")]


async def test_nothing_is_lost_while_the_source_is_down(
    azurite: Endpoints, container: ContainerClient, listener: Listener, tmp_path: Path
) -> None:
    record = tmp_path / "record.sqlite"
    async with source(azurite, container, listener, record=record):
        await container.upload_blob("a", b"1")
        await listener.heard(1)
    await container.upload_blob("b", b"1")
    await container.upload_blob("b", b"2", overwrite=True)
    await container.delete_blob("a")
    async with source(azurite, container, listener, record=record) as events:
        await listener.heard(4)
        assert await events.reconcile() == 0
    assert listener.told() == [
        ("BlobCreated", "a"),
        ("BlobCreated", "b"),
        ("BlobCreated", "b"),
        ("BlobDeleted", "a"),
    ]


async def test_a_write_that_never_reached_the_journal_is_found_by_comparing(
    azurite: Endpoints, container: ContainerClient, listener: Listener, tmp_path: Path
) -> None:
    record = tmp_path / "record.sqlite"
    without: dict[str, Any] = {"record": record, "journal": tmp_path / "none"}
    async with source(azurite, container, listener, **without) as events:
        await events.reconcile()
        await container.upload_blob("kept", b"1")
        await container.upload_blob("gone", b"1")
        await events.reconcile()
    listener.events.clear()
    blocks = container.get_blob_client("blocks")
    await blocks.stage_block("MQ==", b"123")
    await blocks.commit_block_list([BlobBlock("MQ==")])
    await container.upload_blob("kept", b"22", overwrite=True)
    await container.delete_blob("gone")
    async with source(azurite, container, listener, **without):
        events_found = {
            event["subject"].rpartition("/")[2]: event for event in await listener.heard(3)
        }
    assert sorted(listener.told()) == [
        ("BlobCreated", "blocks"),
        ("BlobCreated", "kept"),
        ("BlobDeleted", "gone"),
    ]
    assert events_found["blocks"]["data"]["api"] == "PutBlockList"
    assert events_found["blocks"]["data"]["contentLength"] == 3
    assert events_found["kept"]["data"]["contentLength"] == 2


async def test_a_death_after_publishing_publishes_again_with_the_same_id(
    azurite: Endpoints, container: ContainerClient, listener: Listener, tmp_path: Path
) -> None:
    record = tmp_path / "record.sqlite"
    listener.broken = True
    async with source(azurite, container, listener, record=record):
        await container.upload_blob("a", b"1")
        await listener.heard(1)
    listener.broken = False
    async with source(azurite, container, listener, record=record):
        first, second = (await listener.heard(2))[:2]
    assert first == second


async def test_a_deleted_container_is_forgotten_silently(
    azurite: Endpoints, container: ContainerClient, listener: Listener
) -> None:
    async with source(azurite, container, listener) as events:
        await container.upload_blob("a", b"1")
        await listener.heard(1)
        await container.delete_container()
        assert await events.reconcile() == 0
    assert listener.told() == [("BlobCreated", "a")]


async def test_containers_that_nobody_subscribed_to_are_left_alone(
    azurite: Endpoints, container: ContainerClient, listener: Listener
) -> None:
    interest = Interest(names=frozenset({"another"}))
    async with source(azurite, container, listener, interest=lambda: interest) as events:
        await container.upload_blob("a", b"1")
        assert await events.reconcile() == 0
    assert listener.events == []


async def test_an_account_that_does_not_answer_is_asked_again(
    azurite: Endpoints, container: ContainerClient, listener: Listener, tmp_path: Path
) -> None:
    from local.blob_events.account import AccountUnavailable

    nowhere = azurite.connection_string.replace(azurite.blob, "http://127.0.0.1:9/devstoreaccount1")
    async with source(
        azurite, container, listener, storage=nowhere, journal=tmp_path / "none"
    ) as events:
        with pytest.raises(AccountUnavailable):
            await events.reconcile()


async def test_a_journal_in_many_segments_is_read_and_cleared_away(
    listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOB_JOURNAL_SEGMENT_BYTES", "1000")
    journal = tmp_path / "state" / "blob-journal"
    journal.mkdir(parents=True)
    for number in range(1, 30):
        (journal / f"{number:010}.jsonl").touch()
    async with Azurite(state=tmp_path / "state") as azurite:
        assert azurite.journal == journal
        assert len(list(journal.iterdir())) == 16
        async with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
            container = await service.create_container("many")
            async with source(azurite, container, listener) as events:
                for number in range(10):
                    await container.upload_blob(f"{number}", b"1")
                await listener.heard(10)
                assert await events.reconcile() == 0
                assert len(list(journal.iterdir())) == 1
    assert listener.told() == [("BlobCreated", str(number)) for number in range(10)]


async def test_a_journal_that_was_deleted_goes_on_behind_the_readers_position(
    azurite: Endpoints, container: ContainerClient, listener: Listener, tmp_path: Path
) -> None:
    journal, record = tmp_path / "journal", tmp_path / "record.sqlite"
    journal.mkdir()
    lines = [
        line
        for segment in azurite.journal.iterdir()
        for line in segment.read_bytes().splitlines(keepends=True)
    ]
    assert all(int(segment.name[:10]) > 1_700_000_000 for segment in azurite.journal.iterdir())
    (journal / "0000000007.jsonl").write_bytes(b"".join(lines))
    changes: dict[str, Any] = {"journal": journal, "record": record}
    async with source(azurite, container, listener, **changes) as events:
        await events.reconcile()
    (journal / "0000000007.jsonl").unlink()
    await container.upload_blob("a", b"1")
    newest = max(azurite.journal.iterdir())
    (journal / newest.name).write_bytes(newest.read_bytes().splitlines(keepends=True)[-1])
    async with source(azurite, container, listener, **changes):
        await listener.heard(1)
    assert listener.told() == [("BlobCreated", "a")]


async def test_a_line_that_nobody_understands_leads_to_a_comparison(
    azurite: Endpoints, container: ContainerClient, listener: Listener, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    journal.mkdir()
    segment = journal / "0000000001.jsonl"
    segment.touch()
    async with source(azurite, container, listener, journal=journal) as events:
        await events.reconcile()
        await container.upload_blob("a", b"1")
        with segment.open("a") as file:
            file.write('{"method": "PUT"}\nnot JSON\n')
        await listener.heard(1)
    assert listener.told() == [("BlobCreated", "a")]
