"""Azurite as a part: it starts, keeps its state, leaves nobody behind, and says what is wrong."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import psutil
import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.azurite import Azurite, Endpoints
from local.process import LocalError
from tests.local.azurite.running import ANY_PORTS, Part, eventually, failing, running


@pytest.mark.usefixtures("azurite")
def test_ready_line_has_what_clients_need_and_state_survives_a_restart(tmp_path: Path) -> None:
    with running("local.azurite", "--state", tmp_path, *ANY_PORTS) as part:
        connection = part.ready["connection_string"]
        assert part.ready["part"] == "azurite"
        with BlobServiceClient.from_connection_string(connection) as blobs:
            blobs.create_container("kept").upload_blob("a.txt", b"content")
        with TableServiceClient.from_connection_string(connection) as tables:
            tables.create_table("kept").create_entity({"PartitionKey": "p", "RowKey": "r"})
        with QueueServiceClient.from_connection_string(connection) as queues:
            queues.create_queue("kept").send_message("hello")
        assert part.end() == 0
    with running("local.azurite", "--state", tmp_path, *ANY_PORTS) as part:
        connection = part.ready["connection_string"]
        with BlobServiceClient.from_connection_string(connection) as blobs:
            assert blobs.get_blob_client("kept", "a.txt").download_blob().readall() == b"content"
        with TableServiceClient.from_connection_string(connection) as tables:
            assert tables.get_table_client("kept").get_entity("p", "r")["RowKey"] == "r"
        with QueueServiceClient.from_connection_string(connection) as queues:
            assert queues.get_queue_client("kept").peek_messages()[0].content == "hello"


@pytest.mark.asyncio
@pytest.mark.usefixtures("azurite")
@pytest.mark.parametrize("kill", [False, True], ids=["SIGTERM", "SIGKILL"])
async def test_no_node_is_left_behind(tmp_path: Path, kill: bool) -> None:
    part = Part("local.azurite", "--state", tmp_path, *ANY_PORTS)
    (node,) = part.children()
    assert Path(node.exe()).name == "node"
    part.end(kill=kill)
    await eventually(lambda: not node.is_running() or node.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.usefixtures("azurite")
def test_a_dead_azurite_ends_its_part_with_a_message(tmp_path: Path) -> None:
    part = Part("local.azurite", "--state", tmp_path, *ANY_PORTS)
    part.children()[0].kill()
    _, errors = part.process.communicate(timeout=20)
    assert part.process.returncode == 2
    assert "error: Azurite ended by itself (code -9)" in errors


@pytest.mark.usefixtures("azurite")
def test_a_port_in_use_is_named_with_its_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, errors = failing(
            "local.azurite", "--state", tmp_path, *ANY_PORTS, f"--queue-port={port}"
        )
    assert code == 2
    assert f"error: Port {port} for Azurite's queue service is in use." in errors
    assert "--queue-port" in errors


@pytest.mark.usefixtures("azurite")
def test_a_state_folder_serves_one_azurite_only(tmp_path: Path) -> None:
    with running("local.azurite", "--state", tmp_path, *ANY_PORTS):
        code, errors = failing("local.azurite", "--state", tmp_path, *ANY_PORTS)
    assert code == 2
    assert f"error: Another Azurite works in the state folder {tmp_path}." in errors


@pytest.mark.asyncio
@pytest.mark.usefixtures("azurite")
async def test_a_damaged_state_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "__azurite_db_blob__.json").write_text('{"filename": "torn')
    with pytest.raises(LocalError, match="Azurite did not start") as refused:
        await Azurite(state=tmp_path).start()
    assert f"Its state folder is {tmp_path}: if that is damaged, move it away" in str(refused.value)
    assert re.search(r"JSON", str(refused.value))


def test_the_journal_has_every_change_with_its_own_etag(azurite: Endpoints) -> None:
    with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        container = service.create_container("journalled")
        first = container.upload_blob("ä b.csv", b"1").get_blob_properties().etag
        container.get_blob_client("ä b.csv").download_blob().readall()
        second = container.upload_blob("ä b.csv", b"22", overwrite=True)
        second_etag = second.get_blob_properties().etag
        second.delete_blob()
    lines = [
        json.loads(line)
        for segment in sorted(azurite.journal.iterdir())
        for line in segment.read_text().splitlines()
    ]
    ours = [line for line in lines if "/journalled/" in line["url"]]
    assert [(line["method"], line["status"], line.get("etag")) for line in ours] == [
        ("PUT", 201, first),
        ("PUT", 201, second_etag),
        ("DELETE", 202, None),
    ]
    assert [line["headers"].get("content-length") for line in ours[:2]] == ["1", "2"]
    sequences = [line["sequence"] for line in lines]
    assert sequences == sorted(set(sequences))
