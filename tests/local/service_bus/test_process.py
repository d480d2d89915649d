"""The broker as a process: its ready line, its ends (kind and unkind), and what it says when refused."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusReceiveMode,
)
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import ServiceBusAdministrationClient

from local.service_bus.testing import broker_process, start_process
from tests.local.service_bus.lab import WAIT, entities

ENOUGH = 200
"""Acknowledged sends after which the broker is killed."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "entities.json"
    found.write_text(json.dumps(entities({"q": {"MaxDeliveryCount": 3}, "other": {}})))
    return found


def _receive_all(receiver: ServiceBusReceiver, count: int) -> list[ServiceBusReceivedMessage]:
    got: list[ServiceBusReceivedMessage] = []
    while len(got) < count:
        messages = receiver.receive_messages(max_message_count=count - len(got))
        if not messages:
            break
        got += messages
    return got


def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path, file: Path) -> None:
    """Send until the broker is killed in the middle; then everything acknowledged must be there."""
    acknowledged: list[str] = []
    enough = threading.Event()
    options = ("--entities", file, "--state", tmp_path / "state")

    def send(connection: str) -> None:
        with ServiceBusClient.from_connection_string(connection, retry_total=0) as client:
            sender = client.get_queue_sender("q")
            try:
                while True:
                    body = str(len(acknowledged))
                    sender.send_messages(ServiceBusMessage(body))
                    acknowledged.append(body)
                    if len(acknowledged) == ENOUGH:
                        enough.set()
            except ServiceBusError:
                pass

    with broker_process(*options) as broker:
        sending = threading.Thread(target=send, args=(broker.connection_string,), daemon=True)
        sending.start()
        assert enough.wait(60)
        broker.kill()
        sending.join(60)
    with (
        broker_process(*options) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
        client.get_queue_receiver(
            "q",
            receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE,
            prefetch_count=500,
            max_wait_time=1,
        ) as receiver,
    ):
        got = [str(message) for message in _receive_all(receiver, len(acknowledged) + 1)]
    assert got[: len(acknowledged)] == acknowledged
    assert len(got) - len(acknowledged) in {0, 1}  # the last one may be stored, not acknowledged


def test_settlements_and_entities_survive_a_kill(tmp_path: Path, file: Path) -> None:
    options = ("--entities", file, "--state", tmp_path / "state")
    with broker_process(*options) as broker:
        with closing(
            ServiceBusAdministrationClient.from_connection_string(
                broker.ready["admin_connection_string"],
                connection_verify=broker.ready["certificate"],
            )
        ) as admin:
            admin.create_queue("made-by-client", max_delivery_count=4)
        with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_sender("q") as sender,
            client.get_queue_receiver("q", max_wait_time=WAIT) as receiver,
        ):
            sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
            got = _receive_all(receiver, 5)
            receiver.complete_message(got[0])
            receiver.abandon_message(got[1])
            receiver.defer_message(got[2])
            receiver.dead_letter_message(got[3], reason="Why")
            broker.kill()
    file.write_text(json.dumps(entities({"q": {"MaxDeliveryCount": 3}})))
    with broker_process(*options) as broker:
        with closing(
            ServiceBusAdministrationClient.from_connection_string(
                broker.ready["admin_connection_string"],
                connection_verify=broker.ready["certificate"],
            )
        ) as admin:
            assert admin.get_queue("made-by-client").max_delivery_count == 4
            assert admin.get_queue_runtime_properties("q").dead_letter_message_count == 1
        with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_receiver("q", max_wait_time=WAIT) as receiver,
        ):
            again = _receive_all(receiver, 2)
            assert [(str(m), m.delivery_count) for m in again] == [("1", 1), ("4", 0)]
            [deferred] = receiver.receive_deferred_messages(got[2].sequence_number or 0)
            assert str(deferred) == "2"
        broker.process.terminate()
        said = broker.process.communicate(timeout=10)[1]
    assert broker.process.returncode == 0
    assert "note: The queue 'other' is no longer in the entities file. It stays" in said


def test_the_ready_line_has_what_clients_need(file: Path) -> None:
    with broker_process("--entities", file) as broker:
        ready = broker.ready
        assert ready["part"] == "service_bus"
        assert ready["pid"] == broker.process.pid
        assert f":{ready['port']};" in ready["connection_string"]
        assert ready["admin_url"].startswith("https://127.0.0.1:")
        assert Path(ready["certificate"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert broker.stop() == 0
    assert not Path(ready["certificate"]).exists()


def test_a_stop_closes_links_and_connections_in_order(file: Path) -> None:
    with (
        broker_process("--entities", file) as broker,
        socket.create_connection(("127.0.0.1", broker.ready["port"]), timeout=10) as raw,
    ):
        raw.sendall(b"AMQP\x00\x01\x00\x00")
        assert raw.recv(8) == b"AMQP\x00\x01\x00\x00"
        assert broker.stop() == 0
        rest = b""
        while chunk := raw.recv(4096):
            rest += chunk
    assert b"amqp:connection:forced" in rest
    assert b"The broker is shutting down." in rest


def _refused(*options: str | Path) -> tuple[int, str]:
    process = start_process([str(option) for option in options])
    said = process.communicate(timeout=30)[1]
    return process.returncode, said


def test_ports_in_use_are_named_with_their_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = _refused("--port", port, "--admin-port", "0")
        assert code == 2
        assert said.startswith(f"error: Port {port} for AMQP is in use.")
        assert "choose another port with --port" in said
        code, said = _refused("--port", "0", "--admin-port", port)
        assert code == 2
        assert f"Port {port} for the administration endpoint is in use" in said
        assert "--admin-port" in said


def test_a_bad_entities_file_ends_the_process_with_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"UserConfig": {"Namespaces": 3}}')
    code, said = _refused("--entities", bad, "--port", "0", "--admin-port", "0")
    assert code == 2
    assert said == (
        f"error: The entities file {bad} is wrong at UserConfig.Namespaces: a list is expected.\n"
    )


def test_a_damaged_state_folder_ends_the_process_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "service-bus.sqlite3").write_bytes(b"rubbish" * 1000)
    code, said = _refused("--state", tmp_path, "--port", "0", "--admin-port", "0")
    assert code == 2
    assert "is damaged" in said
    assert "Move it away to begin with an empty broker" in said


def test_help_explains() -> None:
    process = start_process(["--help"])
    told = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    for word in ("--entities", "--port", "--admin-port", "--state", "ready {", "loopback"):
        assert word in told
