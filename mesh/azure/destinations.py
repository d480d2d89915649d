"""Consumers' own Event Grid topics, Service Bus queues and folders of blobs.

Nothing is retried here: a failed attempt is a value, and the schedule makes the next one.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

from mesh.azure.clients import Clients
from mesh.azure.failures import told
from mesh.errors import Rejected
from mesh.model.delivery import DeliveryAttempt
from mesh.model.destination import HOSTS, Destination, event_name, parse_destination
from mesh.model.subscription import Channel
from mesh.ports import Parcel

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage

KEPT = 32
"""Connections to destinations that are kept open; opening one to a queue takes half a second."""

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


class AzureDestinations:
    """`mesh.ports.Destinations` on Azure, and on the local Azure's own ports."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, channel: Channel, target: str) -> str:
        return self._parse(channel, target).target

    def deliver(self, parcel: Parcel) -> DeliveryAttempt:
        started = time.perf_counter()

        def made(outcome: Any, reason: str, **more: Any) -> DeliveryAttempt:
            seconds = time.perf_counter() - started
            return DeliveryAttempt(outcome=outcome, reason=reason, duration_s=seconds, **more)

        try:
            found = self._parse(parcel.channel, parcel.target)
            self._deliver(found, parcel)
        except Rejected as refused:
            return made("refused", str(refused), status=None)
        except HttpResponseError as failure:
            asked, status = _retry_after(failure), failure.status_code
            if status is None and isinstance(failure, ResourceNotFoundError):
                status = 404  # the client of Event Grid raises it anew, without the answer
            reason = f"It could not be told: {told(failure)}"
            return made("retry", reason, status=status, retry_after=asked)
        except (AzureError, HTTPException, OSError, ValueError) as failure:
            return made("retry", f"It could not be told: {told(failure)}", status=None)
        return made("delivered", f"{found.target} took it.", status=None)

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        with self._lock:
            kept, self._kept = self._kept, OrderedDict()
        for one in kept.values():
            one.end()

    def _parse(self, channel: Channel, target: str) -> Destination:
        settings = self._clients.settings
        return parse_destination(
            channel,
            target,
            hosts=settings.destination_hosts or HOSTS,
            allow_loopback=settings.allow_loopback_webhooks,
            own_topic=settings.event_grid_topic,
        )

    def _deliver(self, found: Destination, parcel: Parcel) -> None:
        {
            Channel.EVENT_GRID: self._publish,
            Channel.SERVICE_BUS: self._send,
            Channel.INBOX: self._drop,
        }[found.channel](found, parcel)

    def _publish(self, found: Destination, parcel: Parcel) -> None:
        from azure.core.messaging import CloudEvent

        def publish(client: Any) -> None:
            event: CloudEvent[Any] = CloudEvent.from_dict(dict(parcel.event))
            client.send(event, retry_total=0, **_timeouts(parcel.limit))

        self._with(found, lambda: self._clients.event_grid(found.target, found.is_local), publish)

    def _send(self, found: Destination, parcel: Parcel) -> None:
        def send(sender: Any) -> None:
            sender.send_messages(_message(parcel), timeout=parcel.limit.total_seconds())

        make = lambda: self._clients.queue_sender(found.host, found.path, found.is_local)  # noqa: E731
        self._with(found, make, send)

    def _drop(self, found: Destination, parcel: Parcel) -> None:
        account, _, path = found.path.partition("/") if found.is_local else ("", "", found.path)
        container, _, folder = path.partition("/")
        stem = "/".join(filter(None, (folder.strip("/"), event_name(parcel.event))))

        def drop(blobs: Any) -> None:
            # The event comes last: whoever sees it finds the data.
            for name, content in parcel.files:
                _upload(blobs, container, f"{stem}/{name}", content, {}, None)
            body = json.dumps(dict(parcel.event), separators=(",", ":"), ensure_ascii=False)
            limits = _timeouts(parcel.limit)
            _upload(blobs, container, f"{stem}.json", body.encode(), limits, CONTENT_TYPE)

        url = f"{'http' if found.is_local else 'https'}://{found.host}/{account}".rstrip("/")
        self._with(found, lambda: self._clients.foreign_blobs(url, found.is_local), drop)

    def _with(
        self, found: Destination, make: Callable[[], Any], use: Callable[[Any], None]
    ) -> None:
        """Use the client of a destination; make a sender to a queue anew if it failed."""
        is_alone = found.channel is Channel.SERVICE_BUS
        with self._lock:
            kept = self._kept.setdefault(found.target, _Kept())
            self._kept.move_to_end(found.target)
            kept.begin()
            over = [self._kept.popitem(last=False)[1] for _ in range(len(self._kept) - KEPT)]
        for one in over:
            one.end()
        try:
            with kept.lock if is_alone else nullcontext():
                try:
                    use(kept.made(make))
                except BaseException:
                    if is_alone:  # the others' connections mend themselves, and have other users
                        kept.forget()
                    raise
        finally:
            kept.done()


class _Kept:
    """A client, and the lock for those that only one thread may use at a time: senders to queues.

    Who waits for the lock has a subscriber's share of the attempts that are made at once. Who lets
    a client go that is in use does not wait for its users: the last of them closes it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._client: Any = None
        self._users = 0
        self._is_over = False
        self._counting = threading.Lock()
        self._making = threading.Lock()

    def begin(self) -> None:
        with self._counting:
            self._users += 1

    def made(self, make: Callable[[], Any]) -> Any:
        with self._making:
            if self._client is None:
                self._client = make()
            return self._client

    def done(self) -> None:
        with self._counting:
            self._users -= 1
        self._close_if_over()

    def end(self) -> None:
        with self._counting:
            self._is_over = True
        self._close_if_over()

    def _close_if_over(self) -> None:
        with self._counting:
            is_unused = self._is_over and not self._users
        if is_unused:
            self.forget()

    def forget(self) -> None:
        with self._making:
            client, self._client = self._client, None
        if client is not None:
            with suppress(AzureError, OSError):
                client.close()


def _message(parcel: Parcel) -> ServiceBusMessage:
    """The event in CloudEvents' structured mode; its product is the session of queues with some."""
    from azure.servicebus import ServiceBusMessage

    event = parcel.event
    properties: dict[str | bytes, Any] = {
        f"cloudEvents:{name}": value for name, value in event.items() if isinstance(value, str)
    }
    return ServiceBusMessage(
        json.dumps(dict(event), separators=(",", ":"), ensure_ascii=False).encode(),
        content_type=CONTENT_TYPE,
        message_id=parcel.id,
        session_id=event.get("partitionkey"),
        subject=str(event["type"]),
        application_properties=properties,
    )


def _upload(
    blobs: Any,
    container: str,
    name: str,
    data: bytes | Iterable[bytes],
    limits: Mapping[str, Any],
    content_type: str | None,
) -> None:
    from azure.storage.blob import ContentSettings

    blobs.get_blob_client(container, name).upload_blob(
        data,
        overwrite=True,
        content_settings=ContentSettings(content_type=content_type),
        **limits,
    )


def _timeouts(limit: timedelta) -> dict[str, Any]:
    seconds = limit.total_seconds()
    return {"connection_timeout": min(5.0, seconds), "read_timeout": seconds}


def _retry_after(failure: HttpResponseError) -> timedelta | None:
    """What the service asks for: seconds, or a date."""
    headers = getattr(failure.response, "headers", None) or {}
    text = str(headers.get("Retry-After", ""))
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(text) - datetime.now(UTC), timedelta(0))
    except (TypeError, ValueError, OverflowError):
        return None
