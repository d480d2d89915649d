"""How fast the local Service Bus is, for one client of the unmodified SDK.

Run alone: `python -m scripts.bench_parts.service_bus`. Client and broker are two processes on one
machine; the broker keeps its state on disk, so every number includes durability.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient

_ROOT = Path(__file__).resolve().parents[2]
_BODY = b"x" * 512
_QUEUE = "bench"
_PROPERTIES: dict[str | bytes, int | float | bytes | bool | str] = {"kind": "bench", "number": 1}


def _message() -> ServiceBusMessage:
    return ServiceBusMessage(_BODY, application_properties=dict(_PROPERTIES), subject="bench")


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """Start a broker with a state folder; give its connection string."""
    entities = folder / "entities.json"
    namespace = {"Name": "bench", "Queues": [{"Name": _QUEUE}], "Topics": []}
    entities.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}))
    command = [sys.executable, "-m", "local.service_bus", "--entities", str(entities)]
    command += ["--port", "0", "--admin-port", "0", "--state", str(folder / "state")]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline().removeprefix("ready "))
        yield ready["connection_string"]
    finally:
        process.terminate()
        process.communicate()


def measure(count: int = 3000) -> dict[str, float]:
    """Measure; rates are per second, latencies in milliseconds.

    `send`, `receive_complete`: one message at a time, synchronous client. `batch_send`: batches of
    100. `receive_delete`: receive-and-delete with prefetch. `aio_send`: asyncio client.
    `relay_p50`, `relay_p99`: from the start of a send to the reception by a waiting receiver.
    """
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as connection:
        results = _measure_sync(connection, count)
        results["aio_send"] = asyncio.run(_aio_send(connection, count))
        results |= asyncio.run(_relay(connection, count // 10))
    return results


def _measure_sync(connection: str, count: int) -> dict[str, float]:
    results = {}
    with ServiceBusClient.from_connection_string(connection) as client:
        sender = client.get_queue_sender(_QUEUE)
        receiver = client.get_queue_receiver(_QUEUE, max_wait_time=5)
        sender.send_messages(_message())
        receiver.complete_message(receiver.receive_messages()[0])
        started = time.perf_counter()
        for _ in range(count):
            sender.send_messages(_message())
        results["send"] = count / (time.perf_counter() - started)
        started = time.perf_counter()
        for _ in range(count):
            receiver.complete_message(receiver.receive_messages()[0])
        results["receive_complete"] = count / (time.perf_counter() - started)
        started = time.perf_counter()
        for _ in range(count // 100):
            sender.send_messages([_message() for _ in range(100)])
        results["batch_send"] = count / (time.perf_counter() - started)
        mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        with client.get_queue_receiver(_QUEUE, receive_mode=mode, prefetch_count=500) as quick:
            left = count // 100 * 100
            started = time.perf_counter()
            while left:
                left -= len(quick.receive_messages(max_message_count=left, max_wait_time=5))
            total = count // 100 * 100
            results["receive_delete"] = total / (time.perf_counter() - started)
        receiver.close()
        sender.close()
    return results


async def _aio_send(connection: str, count: int) -> float:
    async with (
        AsyncServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_sender(_QUEUE) as sender,
    ):
        await sender.send_messages(_message())
        started = time.perf_counter()
        for _ in range(count):
            await sender.send_messages(_message())
        rate = count / (time.perf_counter() - started)
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with (
        AsyncServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_receiver(_QUEUE, receive_mode=mode, prefetch_count=500) as receiver,
    ):
        left = count + 1
        while left:
            left -= len(await receiver.receive_messages(max_message_count=left, max_wait_time=5))
    return rate


async def _relay(connection: str, count: int) -> dict[str, float]:
    """Measure the way of one message at a time to a receiver that waits for it."""
    times = []
    async with (
        AsyncServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_sender(_QUEUE) as sender,
        client.get_queue_receiver(_QUEUE, max_wait_time=5) as receiver,
    ):
        for _ in range(count):
            started = time.perf_counter()
            receiving = asyncio.create_task(receiver.receive_messages())
            await sender.send_messages(_message())
            [message] = await receiving
            times.append(time.perf_counter() - started)
            await receiver.complete_message(message)
    percentiles = quantiles(times, n=100)
    return {"relay_p50": percentiles[49] * 1000, "relay_p99": percentiles[98] * 1000}


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:20} {value:10.1f}")
