"""Deliver to an HTTP endpoint. Only 200 to 204 is success, redirects are not followed."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Iterator, Sequence

import aiohttp

from local.event_grid.destinations.outgoing import Outgoing
from local.event_grid.destinations.settings import WebHook
from local.event_grid.retry import MINUTE, RESPONSE_SECONDS, Outcome, outcome_of_status
from local.event_grid.schemas import CLOUD_EVENTS

ORIGIN = "eventgrid.azure.net"
"""What Event Grid calls itself in the handshake of CloudEvents, and after it in every request."""


class WebHookDeliverer:
    """Delivers to one endpoint, several requests at a time; its slowness is nobody else's."""

    max_concurrent = 16

    def __init__(
        self,
        webhook: WebHook,
        http: aiohttp.ClientSession,
        *,
        response_seconds: float = RESPONSE_SECONDS,
    ) -> None:
        self._webhook = webhook
        self._http = http
        self._timeout = aiohttp.ClientTimeout(total=response_seconds)
        self.max_batch = webhook.max_events

    async def deliver(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for group in self._groups(outgoing):
            outcomes += [await self._post(group)] * len(group)
        return outcomes

    async def close(self) -> None:
        """Nothing: the session is shared."""

    def _groups(self, outgoing: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
        """Split by the preferred size; one event may be larger than it."""
        group: list[Outgoing] = []
        size = 0
        for each in outgoing:
            if group and size + len(each.payload) > self._webhook.preferred_bytes:
                yield group
                group, size = [], 0
            group.append(each)
            size += len(each.payload)
        yield group

    async def _post(self, group: list[Outgoing]) -> Outcome:
        first = group[0]
        body = b"[" + b",".join(each.payload for each in group) + b"]"
        content_type = first.content_type
        if first.delivery_schema == CLOUD_EVENTS:
            if self._webhook.batched:
                content_type = content_type.replace("cloudevents+", "cloudevents-batch+")
            else:
                body = first.payload
        headers = {
            **first.custom(self._webhook.attributes),
            **first.headers(),
            "Content-Type": content_type,
            "Origin": ORIGIN,
        }
        try:
            async with self._http.post(
                self._webhook.url,
                data=io.BytesIO(body),
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout,
            ) as answer:
                return outcome_of_status(answer.status, webhook=True, detail=answer.reason or "")
        except (TimeoutError, aiohttp.ClientError, ValueError) as problem:
            return outcome_of_exception(problem)


def outcome_of_exception(problem: Exception) -> Outcome:
    """The outcome of an HTTP exchange that brought no answer."""
    text = str(problem) or type(problem).__name__
    if isinstance(problem, TimeoutError | asyncio.TimeoutError):
        return Outcome(name="TimedOut", detail=text)
    if isinstance(problem, aiohttp.ClientConnectorError) and isinstance(
        problem.os_error, socket.gaierror
    ):
        return Outcome(name="ResolutionError", detail=text, minimum_wait=5 * MINUTE)
    return Outcome(name="SocketError", detail=text)
