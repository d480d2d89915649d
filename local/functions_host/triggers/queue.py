"""Storage queue functions."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from azure.functions.meta import Datum

from local.functions_host.clients import Clients
from local.functions_host.host_json import QueueOptions
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, InvocationFailedError, Invoker
from local.functions_host.queue_pump import Dequeued, QueuePump


class QueueListener:
    """Feeds one function with the messages of a storage queue."""

    def __init__(
        self, function: IndexedFunction, invoker: Invoker, clients: Clients, options: QueueOptions
    ) -> None:
        self._function = function
        self._invoker = invoker
        trigger, where = function.trigger, f"Function '{function.name}'"
        self._name = trigger.text("queueName")
        self._pump = QueuePump(
            clients.queue(trigger.connection, self._name, where),
            clients.queue(trigger.connection, f"{self._name}-poison", where),
            options,
            self._handle,
        )

    async def run(self, stop: asyncio.Event) -> None:
        await self._pump.run(stop)

    async def close(self) -> None:
        await self._pump.close()

    async def trigger_once(self, text: str, reason: str) -> None:
        """Run the function as if a message with this body had come."""
        now = datetime.now(UTC)
        call = self._call(text.encode(), reason, id="manual", dequeued=1, inserted=now)
        await self._invoker.invoke(self._function, call)

    async def _handle(self, dequeued: Dequeued) -> bool:
        message = dequeued.message
        call = self._call(
            dequeued.body,
            f"New queue message detected on '{self._name}'.",
            id=str(message.id),
            dequeued=message.dequeue_count or 1,
            inserted=message.inserted_on,
            expires=message.expires_on,
            visible=message.next_visible_on,
            receipt=message.pop_receipt,
        )
        try:
            await self._invoker.invoke(self._function, call)
        except InvocationFailedError:
            return False  # logged there
        return True

    def _call(
        self,
        body: bytes,
        reason: str,
        *,
        id: str,  # noqa: A002 (the field's name)
        dequeued: int,
        inserted: datetime | None,
        expires: datetime | None = None,
        visible: datetime | None = None,
        receipt: str | None = None,
    ) -> Call:
        text = body.decode(errors="replace")
        metadata = {
            "QueueTrigger": Datum(text, "string"),
            "Id": Datum(id, "string"),
            "DequeueCount": Datum(str(dequeued), "json"),
            "PopReceipt": Datum(receipt or "", "string"),
        }
        times = {"InsertionTime": inserted, "ExpirationTime": expires, "NextVisibleTime": visible}
        for name, moment in times.items():
            if moment is not None:
                metadata[name] = Datum(json.dumps(moment.isoformat()), "json")
        binary = self._function.trigger.is_binary
        return Call(
            data=Datum(body, "bytes") if binary else Datum(text, "string"),
            metadata=metadata,
            reason=reason,
            properties={**_members(text), "queueTrigger": text, "id": id, "dequeueCount": dequeued},
        )


def _members(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
