"""Requests to nodes: an operation's name, and a map of arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.service_bus.amqp.decoding import decode
from local.service_bus.amqp.sections import APPLICATION, PROPERTIES, VALUE, sections


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRequest:
    """A request message of a node."""

    operation: str
    message_id: Any
    link_name: str | None
    arguments: dict[str, Any]


def read_request(encoded: bytes) -> NodeRequest:
    """Read a request.

    Raises:
        MalformedError: the bytes are no message.
    """
    properties: list[Any] = []
    application: dict[str, Any] = {}
    arguments: Any = None
    for code, _, value, _ in sections(encoded):
        if code == PROPERTIES:
            properties = decode(encoded, value)[0]
        elif code == APPLICATION:
            application = decode(encoded, value)[0]
        elif code == VALUE:
            arguments = decode(encoded, value)[0]
    link_name = application.get("associated-link-name")
    return NodeRequest(
        operation=str(application.get("operation", "")),
        message_id=properties[0] if properties else None,
        link_name=None if link_name is None else str(link_name),
        arguments=arguments if isinstance(arguments, dict) else {},
    )
