"""A filter means the same to the mesh and, compiled, to the broker."""

from __future__ import annotations

import json
import uuid
from typing import Any

from azure.servicebus import ServiceBusMessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.azure.clients import Clients
from mesh.azure.topic_subscriptions import TOPIC, TopicSubscriptions
from mesh.errors import Rejected
from mesh.model.broker_rules import PROPERTIES, rules_for
from mesh.model.events import EVENT_TYPES, ReceivedEvent
from mesh.model.names import ProductId
from mesh.model.subscription import Filter
from tests.ports import nouns
from tests.ports.starting import ROOT
from tests.thorough import examples

MAPPINGS = {
    rule["properties"]["sourceField"]: rule["name"]
    for topic in json.loads((ROOT / "infra" / "event-grid.json").read_text())["topics"]
    for subscription in topic["eventSubscriptions"]
    for rule in subscription["destination"]["properties"]["deliveryAttributeMappings"]
}

_words = st.text("ab%_\\'é/", min_size=1, max_size=3)
_events = st.fixed_dictionaries(
    {"type": st.sampled_from(EVENT_TYPES) | _words, "subject": _words},
    optional={"object": _words, "port": _words, "period": st.none() | _words},
)


def event(product: ProductId, number: int, drawn: dict[str, str]) -> ReceivedEvent:
    fields = dict(drawn)
    envelope = {
        "id": f"e{number}",
        "source": product.source,
        "type": fields.pop("type"),
        "subject": fields.pop("subject"),
        "sequence": f"{number:020d}",
        "data": {"domain": product.domain, "product": product.product, **fields},
    }
    return ReceivedEvent.from_cloudevent(envelope)


def message(event: ReceivedEvent) -> ServiceBusMessage:
    """What Event Grid makes of an event."""
    properties: dict[str | bytes, Any] = {}
    for source, name in MAPPINGS.items():
        found: Any = event.envelope
        for part in source.split("."):
            found = found.get(part)
        if found is not None:
            properties[name] = found
    return ServiceBusMessage(event.id, application_properties=properties)


def test_the_broker_is_told_what_filters_ask_for() -> None:
    assert MAPPINGS == PROPERTIES
    assert len(MAPPINGS) <= 10  # as many as Event Grid puts on a message


@settings(
    max_examples=examples(12),
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    filters=st.lists(nouns.expressions, max_size=2),
    drawn=st.lists(_events, min_size=1, max_size=12),
)
def test_compiled_and_evaluated_filters_agree(
    messaging: Clients, filters: list[Any], drawn: list[dict[str, str]]
) -> None:
    product, name = nouns.new_product(), f"pull-{uuid.uuid4().hex[:12]}"
    wanted = Filter(filters=tuple(filters))
    events = [event(product, at, fields) for at, fields in enumerate(drawn)]
    pull = TopicSubscriptions(messaging)
    try:
        rules_for(product, wanted)
    except Rejected:
        return  # too long for the broker
    pull.create(name, product=product, wanted=wanted)
    try:
        with messaging._service_bus().get_topic_sender(TOPIC) as sender:
            sender.send_messages([message(one) for one in events])
        with messaging._service_bus().get_subscription_receiver(TOPIC, name) as receiver:
            peeked = receiver.peek_messages(max_message_count=50)
        told = [b"".join(one.body).decode() for one in peeked]
    finally:
        pull.delete(name)

    assert told == [one.id for one in events if wanted.matches(one)]
