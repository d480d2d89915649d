from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import access
from mesh.backbone import Backbone
from mesh.errors import Unavailable
from mesh.ports import Gone
from tests.ports.test_registry import SHARED
from tests.unit.conftest import COUNTRIES, World, declaration
from tests.unit.test_partitions import parted

MIB = 1024 * 1024
PIECE = 4 * MIB
CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cn", "Zl", "Zp"], exclude_characters="\\"
)


@pytest.fixture
def location() -> str:
    return f"landing/test/{uuid.uuid4().hex}/runways.csv"


def blob_of(size: int) -> bytes:
    """Bytes of which no two MiB are alike."""
    mark = b"".join(number.to_bytes(4, "big") for number in range(MIB // 4))
    whole = b"".join(bytes([part]) + mark[1:] for part in range(-(-size // MIB)))
    return whole[:size]


def etag_of(ports: Backbone, location: str) -> str:
    """The version that storage tells of in its events: without quotes."""
    from mesh import memory

    if isinstance(ports.storage, memory.Storage):
        return ports.storage.blobs[location].etag
    container, _, name = location.partition("/")
    blobs = ports.storage._clients.blobs()  # type: ignore[attr-defined]
    etag: str = blobs.get_blob_client(container, name).get_blob_properties().etag
    return etag.strip('"')


def content_type_of(ports: Backbone, location: str) -> str:
    from mesh import memory

    if isinstance(ports.storage, memory.Storage):
        return ports.storage.blobs[location].content_type
    container, _, name = location.partition("/")
    blobs = ports.storage._clients.blobs()  # type: ignore[attr-defined]
    properties = blobs.get_blob_client(container, name).get_blob_properties()
    found: str = properties.content_settings.content_type
    return found


def test_what_was_never_written_is_not_there(ports: Backbone, location: str) -> None:
    assert ports.storage.read(location) is None
    with pytest.raises(Gone, match=r"There is no blob landing/test/"):
        list(ports.storage.open(location))
    with pytest.raises(Gone):
        list(ports.storage.open(location, etag="0x8D"))


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 9 * MIB])
def test_what_is_written_is_read_again(ports: Backbone, location: str, size: int) -> None:
    data = blob_of(size)
    ports.storage.write(location, data, content_type="text/csv")

    assert ports.storage.read(location) == data
    pieces = list(ports.storage.open(location, etag=etag_of(ports, location)))
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= PIECE for piece in pieces)
    assert content_type_of(ports, location) == "text/csv"


def test_writing_again_replaces(ports: Backbone, location: str) -> None:
    ports.storage.write(location, b"first, and longer", content_type="text/csv")
    ports.storage.write(location, b"second", content_type="application/json")

    assert ports.storage.read(location) == b"second"
    assert content_type_of(ports, location) == "application/json"


def test_a_version_that_was_replaced_is_gone(ports: Backbone, location: str) -> None:
    ports.storage.write(location, b"first", content_type="text/csv")
    etag = etag_of(ports, location)
    assert b"".join(ports.storage.open(location, etag=etag)) == b"first"
    assert b"".join(ports.storage.open(location, etag=f'"{etag}"')) == b"first"
    ports.storage.write(location, b"second", content_type="text/csv")

    with pytest.raises(Gone, match=r"is not the version 0x\w+ any more"):
        list(ports.storage.open(location, etag=etag))


@pytest.mark.parametrize("names_version", [True, False])
def test_a_blob_that_changes_while_it_is_read_is_gone(
    ports: Backbone, location: str, names_version: bool
) -> None:
    ports.storage.write(location, blob_of(9 * MIB), content_type="text/csv")
    etag = etag_of(ports, location) if names_version else None
    reading = ports.storage.open(location, etag=etag)
    next(reading)
    ports.storage.write(location, blob_of(10 * MIB), content_type="text/csv")

    with pytest.raises(Gone, match=r"is not the version .* any more"):
        list(reading)


def test_nothing_is_read_before_it_is_asked_for(ports: Backbone, location: str) -> None:
    reading: Iterator[bytes] = ports.storage.open(location)
    ports.storage.write(location, b"late", content_type="text/csv")

    assert b"".join(reading) == b"late"


def test_compressed_blobs_are_read_as_they_are(azure: Backbone, location: str) -> None:
    import gzip

    from azure.storage.blob import ContentSettings

    packed = gzip.compress(b"a,b\n1,2\n")
    container, _, name = location.partition("/")
    blob = azure.storage._clients.blobs().get_blob_client(container, name)  # type: ignore[attr-defined]
    blob.upload_blob(packed, content_settings=ContentSettings(content_encoding="gzip"))

    assert b"".join(azure.storage.open(location)) == packed


@pytest.mark.parametrize("size", [0, 10, PIECE, PIECE + 1, 13 * MIB])
def test_a_writer_writes_piece_by_piece(ports: Backbone, location: str, size: int) -> None:
    data = blob_of(size)
    writer = ports.storage.writer(location, content_type="text/csv")
    for start in range(0, size, 3 * MIB - 1):
        writer.write(data[start : start + 3 * MIB - 1])
    assert ports.storage.read(location) is None

    writer.commit()

    assert ports.storage.read(location) == data
    assert content_type_of(ports, location) == "text/csv"


def test_a_writer_takes_any_amount_at_once(ports: Backbone, location: str) -> None:
    data = blob_of(13 * MIB)
    writer = ports.storage.writer(location, content_type="text/csv")
    writer.write(data)
    writer.write(b"")
    writer.commit()

    assert ports.storage.read(location) == data


@pytest.mark.parametrize("size", [10, 9 * MIB])
def test_what_is_discarded_never_appears(ports: Backbone, location: str, size: int) -> None:
    writer = ports.storage.writer(location, content_type="text/csv")
    writer.write(blob_of(size))
    writer.discard()

    assert ports.storage.read(location) is None
    with pytest.raises(ValueError, match="was committed or discarded already"):
        writer.commit()
    with pytest.raises(ValueError, match="was committed or discarded already"):
        writer.write(b"more")
    writer.discard()


def test_what_is_discarded_leaves_the_blob_before(ports: Backbone, location: str) -> None:
    ports.storage.write(location, b"before", content_type="text/csv")
    writer = ports.storage.writer(location, content_type="text/csv")
    writer.write(blob_of(9 * MIB))
    writer.discard()

    assert ports.storage.read(location) == b"before"


def test_two_writers_of_one_blob_never_mix(ports: Backbone, location: str) -> None:
    first, second = (ports.storage.writer(location, content_type="text/csv") for _ in range(2))
    whole = {name: bytes([name]) * (9 * MIB) for name in (1, 2)}
    for start in range(0, 9 * MIB, 3 * MIB):
        first.write(whole[1][start : start + 3 * MIB])
        second.write(whole[2][start : start + 3 * MIB])

    first.commit()
    assert ports.storage.read(location) == whole[1]
    try:
        second.commit()
    except Unavailable:
        assert ports.storage.read(location) == whole[1]
    else:
        assert ports.storage.read(location) == whole[2]


def test_containers_exist_or_not(ports: Backbone) -> None:
    assert ports.storage.exists("landing")
    assert not ports.storage.exists("nowhere")


def test_a_container_that_is_not_there_is_no_missing_blob(ports: Backbone) -> None:
    with pytest.raises(Unavailable, match=r"container"):
        ports.storage.write("nowhere/x", b"x", content_type="text/csv")
    with pytest.raises(Unavailable, match=r"container"):
        list(ports.storage.open("nowhere/x"))
    with pytest.raises(Unavailable, match=r"container"):
        ports.storage.read("nowhere/x")


def test_read_access_is_to_one_blob_for_a_while_and_no_more(azure: Backbone, location: str) -> None:
    import httpx

    azure.storage.write(location, b"x", content_type="text/csv")
    azure.storage.write(f"{location}.other", b"y", content_type="text/csv")
    soon = datetime.now(UTC) + timedelta(minutes=5)

    url = azure.storage.read_access([location], until=soon)[location]

    assert httpx.get(url).content == b"x"
    blocked = {"x-ms-blob-type": "BlockBlob"}
    assert httpx.put(url, content=b"z", headers=blocked).status_code == 403
    assert httpx.delete(url).status_code == 403
    assert httpx.get(url.replace(".csv?", ".csv.other?")).status_code == 403
    gone = datetime.now(UTC) - timedelta(minutes=1)
    past = azure.storage.read_access([location], until=gone)[location]
    assert httpx.get(past).status_code == 403
    assert "sp=r&" in f"{url}&"


ODD = ("Europe", "a b", "50%", "50%25", "x/y", "Ö+#?&=", "..", "")
"""Values that the names of folders, or URLs, have to escape."""


def test_each_announced_part_can_be_read_by_its_url_and_nothing_else(azure: Backbone) -> None:
    """As a consumer without any SDK does it."""
    import httpx

    world = World()
    world.onboard(declaration(COUNTRIES, parted(first="continent")))
    rows = [f"A{chr(65 + at)},x,1,{value},2026-11-30" for at, value in enumerate(ODD)]
    entry = world.land(
        "geography/countries/v1/countries/odd.csv",
        "\n".join(["code,name,area,continent,day", *rows, ""]).encode(),
    )
    for location, blob in world.storage.blobs.items():
        azure.storage.write(location, blob.data, content_type=blob.content_type)
    event = world.events()[-1]
    folder = event["data"]["snapshot"]["parquet"]
    azure.storage.write(f"{folder}/later.parquet", b"no part", content_type="text/csv")
    backbone = replace(world.backbone, storage=azure.storage, now=lambda: datetime.now(UTC))

    urls = access.grant(backbone, COUNTRIES, int(event["sequence"])).urls

    manifest = json.loads(world.storage.blobs[entry.receipt].data)["manifest"]
    sums = {f"{folder}/{part['path']}": part["sha256"] for part in manifest["parts"]}
    assert len(sums) == len(ODD)
    assert {*urls} == {event["data"]["snapshot"]["location"], *sums}
    for location, sha256 in sums.items():
        answer = httpx.get(urls[location])
        assert hashlib.sha256(answer.content).hexdigest() == sha256
        _, _, signature = urls[location].partition("?")
        for other in (f"{folder}/later.parquet", next(iter({*urls} - {location}))):
            assert httpx.get(f"{azure.storage.url(other)}?{signature}").status_code == 403
        container = azure.storage.url("published/x").rpartition("/")[0]
        listing = f"{container}?restype=container&comp=list&{signature}"
        assert httpx.get(listing).status_code == 403


def test_read_access_names_the_blob_and_its_end(ports: Backbone, location: str) -> None:
    until = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    granted = ports.storage.read_access([location], until=until)[location]
    url, _, signature = granted.partition("?")

    assert url == ports.storage.url(location)
    assert "2026-11-22T12" in unquote(signature)
    assert "sp=r" in signature


def test_a_url_is_quoted_and_holds_no_secret(ports: Backbone) -> None:
    url = ports.storage.url("published/test/a b#ü?.csv")

    assert url.endswith("/published/test/a%20b%23%C3%BC%3F.csv")
    assert "?" not in url


@SHARED
@given(
    name=st.text(CHARACTERS, min_size=1).map(lambda text: text.strip("/.")).filter(bool),
    data=st.binary(max_size=100),
)
def test_any_name_a_producer_gives_a_file_works(ports: Backbone, name: str, data: bytes) -> None:
    location = f"landing/test/{name}/x"
    ports.storage.write(location, data, content_type="text/csv")

    assert ports.storage.read(location) == data
