"""What tests do to the sample app from outside, with the SDKs and over HTTP."""

from __future__ import annotations

import base64
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.queue import QueueClient

from tests.local.functions_host.conftest import Azure
from tests.local.functions_host.hosting import Answer, wait_for

EVENT_GRID = "/runtime/webhooks/EventGrid?functionName={}&code={}"


def send(azure: Azure, queue: str, *messages: ServiceBusMessage) -> None:
    with (
        ServiceBusClient.from_connection_string(azure.service_bus) as client,
        client.get_queue_sender(queue) as sender,
    ):
        sender.send_messages(list(messages))


def take(azure: Azure, queue: str, **options: Any) -> list[bytes]:
    with (
        ServiceBusClient.from_connection_string(azure.service_bus) as client,
        client.get_queue_receiver(queue, **options) as receiver,
    ):
        messages = receiver.receive_messages(max_message_count=1, max_wait_time=20)
        for message in messages:
            receiver.complete_message(message)
        return [b"".join(message.body) for message in messages]


def storage_queue(azure: Azure, name: str) -> QueueClient:
    return QueueClient.from_connection_string(azure.storage, name)


def put(azure: Azure, queue: str, body: str) -> None:
    with storage_queue(azure, queue) as client:
        try:
            client.send_message(base64.b64encode(body.encode()).decode())
        except ResourceNotFoundError:
            client.create_queue()
            client.send_message(base64.b64encode(body.encode()).decode())


def got(azure: Azure, function: str, count: int = 1) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = wait_for(
        lambda: azure.seen.of(function) if len(azure.seen.of(function)) >= count else None,
        what=f"{count} calls of {function}",
    )
    return lines


def peek(queue: QueueClient) -> Any:
    try:
        return queue.peek_messages()
    except ResourceNotFoundError:
        return None


def post_events(
    azure: Azure,
    body: Any,
    *,
    function: str = "grid_event",
    code: str = "the-event-grid-key",
    kind: str = "Notification",
) -> Answer:
    path = EVENT_GRID.format(function, code)
    return azure.host.request(path, method="POST", body=body, headers={"aeg-event-type": kind})


def event(**members: Any) -> dict[str, Any]:
    """An event in Event Grid's own schema."""
    return {
        "id": "e1",
        "topic": "/topic",
        "subject": "s",
        "eventType": "made",
        "eventTime": "2026-01-01T00:00:00Z",
        "dataVersion": "1",
        "data": {"n": 1},
        **members,
    }
