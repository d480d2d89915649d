"""An entities file that changes between starts: applied, and nothing lost silently."""

from __future__ import annotations

from typing import Any

import pytest

from local.process import LocalError
from local.service_bus.config import read_declaration
from local.service_bus.core.entities import CorrelationFilter, QueueSpec, RuleSpec, SqlFilter
from local.service_bus.declaring import apply_declaration
from tests.local.service_bus.fake import Bench
from tests.local.service_bus.lab import entities


def _apply(bench: Bench, queues: dict[str, Any], topics: Any = None) -> list[str]:
    return apply_declaration(bench.namespace, read_declaration(entities(queues, topics)))


def _sql(name: str, expression: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": expression}},
    }


def test_new_entities_are_made_and_changed_ones_changed(bench: Bench) -> None:
    assert _apply(bench, {"a": {}}) == []
    bench.send("a", "kept")
    assert _apply(bench, {"a": {"MaxDeliveryCount": 3}, "b": {}}) == []
    queues = bench.namespace.directory.queues
    assert queues["a"].spec.max_delivery_count == 3
    assert len(queues["a"].mailbox) == 1
    assert set(queues) == {"a", "b"}


def test_entities_may_forward_to_ones_declared_later(bench: Bench) -> None:
    topics = {"t": {"s": {"Properties": {"ForwardTo": "end"}}}}
    _apply(bench, {"start": {"ForwardTo": "t"}, "end": {}}, topics)
    bench.send("start", "x")
    assert bench.take(bench.namespace.directory.queues["end"].mailbox).bodies() == ["x"]


def test_what_the_file_no_longer_names_stays_and_is_reported(bench: Bench) -> None:
    _apply(bench, {"a": {}, "b": {}}, {"t": {"s": {}}})
    bench.send("a", "1", "2")
    bench.namespace.create_queue(QueueSpec(name="by-client"))
    end = "delete it with the administration client if it is not needed."
    assert _apply(bench, {"b": {}}) == [
        f"The queue 'a' is no longer in the entities file. It stays, with 2 messages; {end}",
        f"The topic 't' is no longer in the entities file. It stays, with 0 messages; {end}",
        (
            "The subscription 't/Subscriptions/s' is no longer in the entities file. It stays, "
            f"with 0 messages; {end}"
        ),
    ]
    assert set(bench.namespace.directory.queues) == {"a", "b", "by-client"}


def test_an_unchanged_file_leaves_the_clients_changes_alone(bench: Bench) -> None:
    topics = {"t": {"s": {"Rules": [_sql("declared", "a = 1")]}}}
    _apply(bench, {"q": {"MaxDeliveryCount": 3}}, topics)
    bench.namespace.update(QueueSpec(name="q", max_delivery_count=7))
    subscription = bench.namespace.directory.subscription("t", "s")
    own = RuleSpec(name="own", filter=CorrelationFilter(label="x"))
    changed = RuleSpec(name="declared", filter=SqlFilter(expression="a = 2"))
    bench.namespace.put_rule(subscription, own, replacing=False)
    bench.namespace.put_rule(subscription, changed, replacing=True)
    _apply(bench, {"q": {"MaxDeliveryCount": 3}}, topics)
    assert bench.namespace.directory.queues["q"].spec.max_delivery_count == 7
    assert [rule.spec for rule in subscription.rules.values()] == [changed, own]
    _apply(bench, {"q": {"MaxDeliveryCount": 4}}, topics)
    assert bench.namespace.directory.queues["q"].spec.max_delivery_count == 4


def test_declared_rules_are_exchanged_and_others_kept(bench: Bench) -> None:
    _apply(bench, {}, {"t": {"s": {}}})
    subscription = bench.namespace.directory.subscription("t", "s")
    own = RuleSpec(name="own", filter=CorrelationFilter(label="x"))
    bench.namespace.put_rule(subscription, own, replacing=False)
    rules = [_sql("one", "a = 1"), _sql("two", "a = 2")]
    _apply(bench, {}, {"t": {"s": {"Rules": rules}}})
    assert set(subscription.rules) == {"own", "one", "two"}
    _apply(bench, {}, {"t": {"s": {"Rules": [_sql("two", "a = 3")]}}})
    assert set(subscription.rules) == {"own", "two"}
    assert subscription.rules["two"].spec.filter == SqlFilter(expression="a = 3")


def test_an_empty_entity_is_made_anew_where_it_cannot_be_changed(bench: Bench) -> None:
    _apply(bench, {"q": {}, "kind": {}})
    _apply(bench, {"q": {"RequiresSession": True}}, {"kind": {"s": {}}})
    assert bench.namespace.directory.queues["q"].spec.requires_session
    assert set(bench.namespace.directory.topics) == {"kind"}


def test_an_entity_with_messages_is_never_thrown_away(bench: Bench) -> None:
    _apply(bench, {"q": {}})
    bench.send("q", "precious")
    with pytest.raises(LocalError) as refused:
        _apply(bench, {"q": {"RequiresSession": True}})
    assert "'q' is declared with another kind, RequiresSession" in str(refused.value)
    assert "Empty it, delete it with the administration client" in str(refused.value)
    assert len(bench.namespace.directory.queues["q"].mailbox) == 1


def test_forwarding_to_nowhere_is_refused(bench: Bench) -> None:
    with pytest.raises(LocalError, match="leads to 'nowhere', which does not exist"):
        _apply(bench, {"q": {"ForwardTo": "nowhere"}})
