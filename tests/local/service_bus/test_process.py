"""The broker as a process: its ready line, its ends, and what it says when it cannot start."""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
)
from azure.servicebus.exceptions import ServiceBusError
from azure.servicebus.management import ServiceBusAdministrationClient

from local.process import LocalError
from local.service_bus import ServiceBusEmulator
from local.service_bus.__main__ import main
from local.service_bus.testing import BrokerProcess, broker_process, start_process
from tests.local.service_bus.lab import WAIT, entities

ENOUGH = 200
"""Acknowledged sends after which the broker is killed."""


def _receive_all(receiver: ServiceBusReceiver, count: int) -> list[ServiceBusReceivedMessage]:
    got: list[ServiceBusReceivedMessage] = []
    while len(got) < count:
        messages = receiver.receive_messages(max_message_count=count - len(got))
        if not messages:
            break
        got += messages
    return got


def _send_until_refused(connection: str, acknowledged: list[str], enough: threading.Event) -> None:
    with ServiceBusClient.from_connection_string(connection, retry_total=0) as client:
        sender = client.get_queue_sender("flood")
        try:
            while True:
                body = str(len(acknowledged))
                sender.send_messages(ServiceBusMessage(body))
                acknowledged.append(body)
                if len(acknowledged) == ENOUGH:
                    enough.set()
        except ServiceBusError:
            pass


def _admin(broker: BrokerProcess) -> ServiceBusAdministrationClient:
    return ServiceBusAdministrationClient.from_connection_string(
        broker.ready["admin_connection_string"], connection_verify=broker.ready["certificate"]
    )


@pytest.fixture
def _sdk_leaves_sockets() -> Iterator[None]:
    """Collect, while warnings are ignored, the sockets that the SDK forgets when it is cut off."""
    yield
    gc.collect()


@pytest.mark.usefixtures("_sdk_leaves_sockets")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Kill it while one client sends and another has settled, and look what the next one has."""
    file = tmp_path / "entities.json"
    options = ("--entities", file, "--state", tmp_path / "state")
    file.write_text(json.dumps(entities({"q": {"MaxDeliveryCount": 3}, "flood": {}, "other": {}})))
    acknowledged: list[str] = []
    enough = threading.Event()
    with broker_process(*options) as broker:
        with closing(_admin(broker)) as admin:
            admin.create_queue("made-by-client", max_delivery_count=4)
        sending = threading.Thread(
            target=_send_until_refused,
            args=(broker.connection_string, acknowledged, enough),
            daemon=True,
        )
        with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_sender("q") as sender,
            client.get_queue_receiver("q", max_wait_time=WAIT) as receiver,
        ):
            sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
            settled = _receive_all(receiver, 5)
            receiver.complete_message(settled[0])
            receiver.abandon_message(settled[1])
            receiver.defer_message(settled[2])
            receiver.dead_letter_message(settled[3], reason="Why")
            sending.start()
            assert enough.wait(60)
            broker.kill()
        sending.join(60)

    file.write_text(json.dumps(entities({"q": {"MaxDeliveryCount": 3}, "flood": {}})))
    with broker_process(*options) as broker:
        with closing(_admin(broker)) as admin:
            assert admin.get_queue("made-by-client").max_delivery_count == 4
            assert admin.get_queue_runtime_properties("q").dead_letter_message_count == 1
        mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        with (
            ServiceBusClient.from_connection_string(broker.connection_string) as client,
            client.get_queue_receiver("q", max_wait_time=WAIT) as receiver,
            client.get_queue_receiver(
                "flood", receive_mode=mode, prefetch_count=500, max_wait_time=1
            ) as flooded,
        ):
            again = _receive_all(receiver, 2)
            assert [(str(m), m.delivery_count) for m in again] == [("1", 1), ("4", 0)]
            [deferred] = receiver.receive_deferred_messages(settled[2].sequence_number or 0)
            assert str(deferred) == "2"
            got = [str(message) for message in _receive_all(flooded, len(acknowledged) + 1)]
        broker.process.terminate()
        said = broker.process.communicate(timeout=10)[1]
    assert got[: len(acknowledged)] == acknowledged
    assert len(got) - len(acknowledged) in {0, 1}  # the last one may be stored, not acknowledged
    assert "note: The queue 'other' is no longer in the entities file. It stays" in said
    assert broker.process.returncode == 0


def test_a_process_tells_what_clients_need_and_stops_in_order(tmp_path: Path) -> None:
    file = tmp_path / "entities.json"
    file.write_text(json.dumps(entities({"q": {}})))
    with broker_process("--entities", file) as broker:
        ready = broker.ready
        assert ready["part"] == "service_bus"
        assert ready["pid"] == broker.process.pid
        assert f":{ready['port']};" in ready["connection_string"]
        assert ready["admin_url"].startswith("https://127.0.0.1:")
        assert Path(ready["certificate"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
        with socket.create_connection(("127.0.0.1", ready["port"]), timeout=10) as raw:
            raw.sendall(b"AMQP\x00\x01\x00\x00")
            assert raw.recv(8) == b"AMQP\x00\x01\x00\x00"
            assert broker.stop() == 0
            rest = b""
            while chunk := raw.recv(4096):
                rest += chunk
    assert b"amqp:connection:forced" in rest
    assert b"The broker is shutting down." in rest
    assert not Path(ready["certificate"]).exists()


def test_a_bad_entities_file_ends_the_process_with_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"UserConfig": {"Namespaces": 3}}')
    process = start_process(["--entities", str(bad), "--port", "0", "--admin-port", "0"])
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 2
    assert said == (
        f"error: The entities file {bad} is wrong at UserConfig.Namespaces: a list is expected.\n"
    )


def test_help_explains(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for word in ("--entities", "--port", "--admin-port", "--state", "ready {", "loopback"):
        assert word in told


@pytest.mark.asyncio
async def test_ports_in_use_are_named_with_their_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=f"Port {port} for AMQP is in use.* with --port"):
            async with ServiceBusEmulator(port=port):
                pass
        with pytest.raises(LocalError, match=r"the administration endpoint is in use.* with --adm"):
            async with ServiceBusEmulator(admin_port=port):
                pass


@pytest.mark.asyncio
async def test_a_damaged_state_folder_is_named_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "service-bus.sqlite3").write_bytes(b"rubbish" * 1000)
    with pytest.raises(LocalError, match=r"is damaged .*Move it away to begin with an empty"):
        async with ServiceBusEmulator(state=tmp_path):
            pass


@pytest.mark.asyncio
async def test_the_certificate_is_kept_and_replaced_when_it_is_unusable(tmp_path: Path) -> None:
    async with ServiceBusEmulator(state=tmp_path) as bus:
        first = bus.certificate.read_bytes()
    async with ServiceBusEmulator(state=tmp_path) as bus:
        assert bus.certificate.read_bytes() == first
    bus.certificate.write_text("no certificate")
    async with ServiceBusEmulator(state=tmp_path) as bus:
        assert bus.certificate.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
