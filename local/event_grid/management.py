"""A small management API: event subscriptions at run time, and what became of their events.

| Request | Answers |
|---|---|
| `GET /management/topics` | all topics with their endpoints |
| `GET /management/topics/{topic}/eventSubscriptions` | the subscriptions of a topic |
| `PUT …/eventSubscriptions/{name}` | 201: created, 200: replaced, 400: not right, or not agreed |
| `GET …/eventSubscriptions/{name}` | its declaration, state and counts |
| `DELETE …/eventSubscriptions/{name}` | 204 |
| `GET …/eventSubscriptions/{name}/deliveries` | what still has to be delivered |
| `GET …/eventSubscriptions/{name}/validate?code=` | the validation URL of a handshake |

A body is an event subscription as in the topology file.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

from local.event_grid.clock import timestamp
from local.event_grid.delivery import Pump
from local.event_grid.documents import Document, InvalidDocument
from local.event_grid.errors import Refused
from local.event_grid.topology import Topic, read_subscription
from local.event_grid.validation import Validations
from local.process import LocalError

if TYPE_CHECKING:
    from local.event_grid.grid import EventGrid

_TOPIC = "/management/topics/{topic}/eventSubscriptions"
_ONE = _TOPIC + "/{name}"


class ManagementApi:
    """The handlers; there is no authentication, since everything listens on loopback only."""

    def __init__(self, grid: EventGrid, validations: Validations) -> None:
        self._grid, self._validations = grid, validations

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/management/topics", self._list_topics)
        app.router.add_get(_TOPIC, self._list)
        app.router.add_put(_ONE, self._put)
        app.router.add_get(_ONE, self._get)
        app.router.add_delete(_ONE, self._delete)
        app.router.add_get(_ONE + "/deliveries", self._deliveries)
        app.router.add_get(_ONE + "/validate", self._validate)

    async def _list_topics(self, _: web.Request) -> web.Response:
        return web.json_response({"value": [self._shown_topic(t) for t in self._grid.topics]})

    async def _list(self, request: web.Request) -> web.Response:
        pumps = self._grid.pumps(self._topic(request).name)
        return web.json_response({"value": [self._shown(pump) for pump in pumps.values()]})

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._pump(request)))

    async def _put(self, request: web.Request) -> web.Response:
        topic, name = self._topic(request), request.match_info["name"]
        try:
            body = await request.json()
            if not isinstance(body, dict):
                raise InvalidDocument("The body must be an object.")
            document = Document(value={**body, "name": name})
            subscription = read_subscription(document, input_schema=topic.input_schema)
            existed = name.casefold() in self._grid.pumps(topic.name)
            pump = await self._grid.create_subscription(topic.name, subscription)
        except (ValueError, InvalidDocument, LocalError) as problem:
            raise Refused(400, "InvalidRequest", str(problem)) from None
        return web.json_response(self._shown(pump), status=200 if existed else 201)

    async def _delete(self, request: web.Request) -> web.Response:
        pump = self._pump(request)
        await self._grid.delete_subscription(self._topic(request).name, pump.subscription.name)
        return web.Response(status=204)

    async def _deliveries(self, request: web.Request) -> web.Response:
        pending = self._grid.pending(self._pump(request))
        return web.json_response(
            {
                "value": [
                    {
                        "eventId": event.id,
                        "eventType": event.type,
                        "subject": event.subject,
                        "publishTime": timestamp(each.published),
                        "deliveryAttempts": each.attempts,
                        "lastDeliveryOutcome": each.last_outcome,
                        "nextStepTime": timestamp(each.due),
                        "deadLetterReason": each.dead_letter_reason,
                    }
                    for each, event in pending
                ]
            }
        )

    async def _validate(self, request: web.Request) -> web.Response:
        pump = self._pump(request)
        if not self._validations.called(pump.key, request.query.get("code", "")):
            message = "This validation code is unknown, used or older than ten minutes."
            raise Refused(404, "NotFound", message)
        return web.Response(text="Webhook successfully validated as a subscription endpoint.")

    def _topic(self, request: web.Request) -> Topic:
        name = request.match_info["topic"]
        topic = self._grid.find_topic(name)
        if topic is None:
            raise Refused(404, "NotFound", f"There is no topic '{name}' here.")
        return topic

    def _pump(self, request: web.Request) -> Pump:
        topic, name = self._topic(request), request.match_info["name"]
        pump = self._grid.pumps(topic.name).get(name.casefold())
        if pump is None:
            message = f"The topic '{topic.name}' has no event subscription '{name}'."
            raise Refused(404, "NotFound", message)
        return pump

    def _shown_topic(self, topic: Topic) -> dict[str, Any]:
        return {
            "name": topic.name,
            "id": topic.resource_id,
            "inputSchema": topic.input_schema,
            "endpoint": None if topic.is_system else self._grid.endpoint(topic.name),
        }

    def _shown(self, pump: Pump) -> dict[str, Any]:
        return {
            **pump.subscription.document,
            "name": pump.subscription.name,
            "provisioningState": self._validations.state(pump),
            "lastRefusal": self._validations.last_refusal(pump.key),
            "pending": pump.pending,
            "counts": dataclasses.asdict(pump.counts),
        }
