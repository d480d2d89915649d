"""The three forms of an event on the way in, and how it looks on the way out.

An event is kept as it was published; on delivery it is rendered in the schema that the event
subscription asks for. Azure's table of what may become what holds here too.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

EVENT_GRID = "EventGridSchema"
CLOUD_EVENTS = "CloudEventSchemaV1_0"
CUSTOM = "CustomEventSchema"
CUSTOM_INPUT = "CustomInputSchema"

INPUT_SCHEMAS = (EVENT_GRID, CLOUD_EVENTS, CUSTOM)
DELIVERY_SCHEMAS = {
    EVENT_GRID: (EVENT_GRID, CLOUD_EVENTS),
    CLOUD_EVENTS: (CLOUD_EVENTS,),
    CUSTOM: (EVENT_GRID, CLOUD_EVENTS, CUSTOM_INPUT),
}
"""What each input schema can be delivered as; CloudEvents have extensions that the other lacks."""

_NAMES_IN_ERRORS = {
    EVENT_GRID: "EventGridEvent",
    CLOUD_EVENTS: "CloudEventV10",
    CUSTOM: "CustomInputEvent",
}
_ATTRIBUTE_NAME = re.compile(r"[a-z0-9]+")
_EVENT_GRID_MEMBERS = frozenset(
    {"id", "topic", "subject", "eventType", "eventTime", "data", "dataVersion", "metadataVersion"}
)


class NotAnEvent(Exception):
    """What was published is not of the topic's input schema; the whole batch is refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapping:
    """Where a topic of the custom schema finds the members of Event Grid's own schema."""

    fields: dict[str, str]
    """Member → the name of the publisher's field that holds it."""
    defaults: dict[str, str]
    """Member → its value when the field is absent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One accepted event: its members in CloudEvents' or else in Event Grid's own form."""

    attributes: dict[str, Any]
    input_schema: str
    internal_id: str
    """Event Grid's own id of this publication: kept over redelivery, new when published again."""
    published: float

    @property
    def is_cloud_event(self) -> bool:
        return self.input_schema == CLOUD_EVENTS

    @property
    def id(self) -> str:
        return str(self.attributes["id"])

    @property
    def type(self) -> str:
        return str(self.attributes["type" if self.is_cloud_event else "eventType"])

    @property
    def subject(self) -> str:
        return self.attributes.get("subject") or ""

    @property
    def data_version(self) -> str:
        return str(self.attributes.get("dataVersion") or "")

    def rendered(self, delivery_schema: str) -> dict[str, Any]:
        """The event as a subscriber of `delivery_schema` gets it."""
        if delivery_schema == CUSTOM_INPUT:
            original: dict[str, Any] = self.attributes["data"]
            return original
        if delivery_schema == CLOUD_EVENTS and not self.is_cloud_event:
            return _as_cloud_event(self.attributes)
        return self.attributes


def _as_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    rendered = {
        "id": event["id"],
        "source": event["topic"],
        "specversion": "1.0",
        "type": event["eventType"],
        "subject": event["subject"],
        "time": event["eventTime"],
    }
    if "data" in event:
        rendered["data"] = event["data"]
    return rendered


def read_events(
    published: Any, *, schema: str, topic: str, now: str, mapping: Mapping | None = None
) -> list[dict[str, Any]]:
    """Check a published batch and return the events' attributes.

    Args:
        published: The JSON that was sent, a list.
        schema: The topic's input schema.
        topic: The topic's resource id, which Event Grid's own schema carries.
        now: The time of publication, RFC 3339.
        mapping: Only for the custom schema.

    Raises:
        NotAnEvent: any event of the batch is not of the schema: none is taken.
    """
    if not isinstance(published, list):
        actual = "StartObject" if isinstance(published, dict) else type(published).__name__
        raise _not_conforming(
            schema, f"Token Expected: StartArray, Actual Token Received: {actual}."
        )
    if not published:
        raise _not_conforming(schema, "The batch is empty.")
    for event in published:
        if not isinstance(event, dict):
            raise _not_conforming(schema, "Every event must be a JSON object.")
    if schema == CLOUD_EVENTS:
        return [_read_cloud_event(event) for event in published]
    if schema == CUSTOM:
        rules = mapping or Mapping(fields={}, defaults={})
        return [_read_custom(event, rules, topic, now) for event in published]
    return [_read_event_grid_event(event, topic) for event in published]


def _read_event_grid_event(event: dict[str, Any], topic: str) -> dict[str, Any]:
    for name in event:
        if name not in _EVENT_GRID_MEMBERS:
            message = (
                f"This resource is configured for 'EventGridEvent' schema. Received unexpected "
                f"property '{name}' in JSON which does not conform to the expected schema."
            )
            raise NotAnEvent(message)
    for name in ("subject", "id", "eventType", "eventTime"):
        _require_text(event, name, EVENT_GRID, empty_too=name == "subject")
    _require_time(event, "eventTime", EVENT_GRID)
    if event.get("topic") not in (None, "", topic):
        raise _not_conforming(EVENT_GRID, f"Property 'topic' must be left out or be '{topic}'.")
    if event.get("metadataVersion") not in (None, "1"):
        raise _not_conforming(EVENT_GRID, "Property 'metadataVersion' must be left out or be '1'.")
    if not isinstance(event.get("dataVersion") or "", str):
        raise _not_conforming(EVENT_GRID, "Property 'dataVersion' must be a string.")
    return {
        **event,
        "topic": topic,
        "dataVersion": event.get("dataVersion") or "",
        "metadataVersion": "1",
    }


def _read_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    for name, shown in (("specversion", "specversion"), ("type", "eventType")):
        _require_text(event, name, CLOUD_EVENTS, shown=shown)
    for name in ("source", "id"):
        _require_text(event, name, CLOUD_EVENTS)
    if event["specversion"] != "1.0":
        raise _not_conforming(CLOUD_EVENTS, "Property 'specversion' must be '1.0'.")
    if "data" in event and "data_base64" in event:
        raise _not_conforming(CLOUD_EVENTS, "Only one of 'data' and 'data_base64' may be present.")
    _check_attributes(event)
    return {name: value for name, value in event.items() if name == "data" or value is not None}


def _check_attributes(event: dict[str, Any]) -> None:
    for name in ("subject", "datacontenttype", "dataschema", "time"):
        if not isinstance(event.get(name) or "", str):
            raise _not_conforming(CLOUD_EVENTS, f"Property '{name}' must be a string.")
    if event.get("time"):
        _require_time(event, "time", CLOUD_EVENTS)
    for name, value in event.items():
        if name in ("data", "data_base64"):
            continue
        if not _ATTRIBUTE_NAME.fullmatch(name):
            problem = f"Attribute name '{name}' may hold only lower-case letters and digits."
            raise _not_conforming(CLOUD_EVENTS, problem)
        if isinstance(value, dict | list | float):
            problem = f"Attribute '{name}' must be a string, a boolean or an integer."
            raise _not_conforming(CLOUD_EVENTS, problem)


def _read_custom(event: dict[str, Any], rules: Mapping, topic: str, now: str) -> dict[str, Any]:
    def found(member: str, otherwise: str | None = None) -> str:
        field = rules.fields.get(member)
        value = event.get(field) if field else None
        value = value if value is not None else rules.defaults.get(member, otherwise)
        if not isinstance(value, str) or (not value and member in ("id", "eventType")):
            raise _required(CUSTOM, field or member)
        return value

    attributes = {
        "id": found("id", str(uuid.uuid4())),
        "topic": topic,
        "subject": found("subject", ""),
        "eventType": found("eventType"),
        "eventTime": found("eventTime", now),
        "data": event,
        "dataVersion": found("dataVersion", ""),
        "metadataVersion": "1",
    }
    _require_time(attributes, "eventTime", CUSTOM)
    return attributes


def _require_text(
    event: dict[str, Any],
    name: str,
    schema: str,
    *,
    shown: str | None = None,
    empty_too: bool = False,
) -> None:
    value = event.get(name)
    if not isinstance(value, str) or not (value or empty_too):
        raise _required(schema, shown or name)


def _require_time(event: dict[str, Any], name: str, schema: str) -> None:
    value = event[name]
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or "T" not in value.upper():
        problem = f"Property '{name}' must be a date and time of RFC 3339, not '{value}'."
        raise _not_conforming(schema, problem)


def _required(schema: str, name: str) -> NotAnEvent:
    return NotAnEvent(
        f"This resource is configured for '{_NAMES_IN_ERRORS[schema]}' schema and requires "
        f"'{name}' property to be set."
    )


def _not_conforming(schema: str, reason: str) -> NotAnEvent:
    return NotAnEvent(
        f"This resource is configured to receive event in '{_NAMES_IN_ERRORS[schema]}' schema. "
        f"The JSON received does not conform to the expected schema. {reason}"
    )


def as_json(value: Any) -> bytes:
    """Compact JSON, in ASCII: a lone surrogate, which JSON allows, has no UTF-8."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")
