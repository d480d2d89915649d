"""The endpoint of a custom topic: `POST /{topic}/api/events`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web

from local.event_grid.access import NotAuthorized, authorize
from local.event_grid.errors import Refused
from local.event_grid.schemas import CLOUD_EVENTS, NotAnEvent
from local.event_grid.topology import Topic

if TYPE_CHECKING:
    from local.event_grid.grid import EventGrid

MAX_BYTES = 1024 * 1024
"""The largest batch, and the largest event."""

_BATCH = "application/cloudevents-batch+json"
_STRUCTURED = "application/cloudevents+json"
_ATTRIBUTE_HEADER = "ce-"


class PublishEndpoint:
    """Takes batches of events from publishers: all of a batch, or nothing of it."""

    def __init__(self, grid: EventGrid, key: str) -> None:
        self._grid, self._key = grid, key

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/{topic}/api/events", self._publish)

    async def _publish(self, request: web.Request) -> web.Response:
        topic = self._grid.find_topic(request.match_info["topic"])
        if topic is None or topic.is_system:
            message = f"There is no custom topic '{request.match_info['topic']}' here."
            raise Refused(404, "NotFound", message)
        self._authorize(request)
        batch = _read_batch(topic, request, await request.read())
        try:
            self._grid.publish(topic.name, batch)
        except NotAnEvent as refused:
            raise Refused(400, "BadRequest", str(refused)) from None
        return web.Response()

    def _authorize(self, request: web.Request) -> None:
        try:
            authorize(
                request.headers,
                request.query,
                key=self._key,
                path=request.path,
                host=request.host,
                now=self._grid.clock.now(),
            )
        except NotAuthorized as refused:
            raise Refused(401, "Unauthorized", str(refused)) from None


def _read_batch(topic: Topic, request: web.Request, body: bytes) -> Any:
    """The published events as a list, as far as the content type says that they are one."""
    if topic.input_schema != CLOUD_EVENTS:
        return _parse(body)
    content_type = request.content_type.casefold()
    if "ce-specversion" in request.headers:
        return [_read_binary(request, body, content_type)]
    if content_type == _BATCH:
        return _parse(body)
    if content_type in (_STRUCTURED, "application/json"):
        event = _parse(body)
        if isinstance(event, list):
            message = (
                "This resource is configured to receive event in 'CloudEventV10' schema. "
                "The JSON received does not conform to the expected schema. "
                "Token Expected: StartObject, Actual Token Received: StartArray."
            )
            raise Refused(400, "BadRequest", message)
        return [event]
    raise _wrong_content_type()


def _read_binary(request: web.Request, body: bytes, content_type: str) -> dict[str, Any]:
    """An event in CloudEvents' binary mode: attributes in headers, data in the body."""
    if content_type not in ("application/json", "application/octet-stream"):
        raise _wrong_content_type()
    event: dict[str, Any] = {
        name.lower().removeprefix(_ATTRIBUTE_HEADER): unquote(value)
        for name, value in request.headers.items()
        if name.lower().startswith(_ATTRIBUTE_HEADER)
    }
    event["datacontenttype"] = content_type
    if body:
        event["data"] = _parse(body)
    return event


def _wrong_content_type() -> Refused:
    message = (
        "The Content-Type header is either missing or it doesn't have a valid value. The content "
        f"type header must either be {_STRUCTURED}; charset=utf-8 or {_BATCH}; charset=UTF-8."
    )
    return Refused(415, "UnsupportedMediaType", message)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        message = f"The request body is not JSON: {problem}."
        raise Refused(400, "BadRequest", message) from None


def _refuse_constant(name: str) -> None:
    message = f"{name} is not a JSON value"
    raise ValueError(message)
