"""Descriptions of entities as JSON, for the journal."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from local.service_bus.core.entities import (
    CorrelationFilter,
    FalseFilter,
    QueueSpec,
    RuleFilter,
    RuleSpec,
    Spec,
    SqlAction,
    SqlFilter,
    SubscriptionSpec,
    TopicSpec,
    TrueFilter,
)
from local.service_bus.core.journal import StoredEntity
from local.service_bus.core.message import Value
from local.service_bus.core.queues import Entity, Subscription

_SPECS: dict[str, type[QueueSpec | TopicSpec | SubscriptionSpec]] = {
    "queue": QueueSpec,
    "topic": TopicSpec,
    "subscription": SubscriptionSpec,
}
_FILTERS: dict[str, type[Any]] = {
    "correlation": CorrelationFilter,
    "sql": SqlFilter,
    "true": TrueFilter,
    "false": FalseFilter,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSpecs:
    """What the journal keeps of an entity, read."""

    spec: Spec
    rules: tuple[RuleSpec, ...]
    declared: Spec | None
    declared_rules: tuple[RuleSpec, ...] | None
    created_at: float
    updated_at: float


def spec_json(entity: Entity) -> str:
    """Write an entity's description, and a subscription's rules."""
    rules = (
        [rule.spec for rule in entity.rules.values()] if isinstance(entity, Subscription) else []
    )
    return _written(entity.spec, rules)


def declared_json(entity: Entity) -> str | None:
    """Write the description that a file gave, if one did."""
    if entity.declared is None:
        return None
    rules = entity.declared_rules if isinstance(entity, Subscription) else None
    return _written(entity.declared, rules or ())


def from_json(stored: StoredEntity) -> StoredSpecs:
    """Read what the two functions above wrote."""
    spec, rules = _read(stored.spec)
    declared, declared_rules = (None, None) if stored.declared is None else _read(stored.declared)
    return StoredSpecs(
        spec=spec,
        rules=rules,
        declared=declared,
        declared_rules=declared_rules,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
    )


def _written(spec: Spec, rules: list[RuleSpec] | tuple[RuleSpec, ...]) -> str:
    kind = next(name for name, known in _SPECS.items() if isinstance(spec, known))
    document = {"kind": kind, **asdict(spec), "rules": [_rule(rule) for rule in rules]}
    return json.dumps(document)


def _rule(rule: RuleSpec) -> dict[str, Any]:
    kind = next(name for name, known in _FILTERS.items() if isinstance(rule.filter, known))
    return {
        "name": rule.name,
        "created_at": rule.created_at,
        "filter": {"kind": kind, **_with_values(asdict(rule.filter))},
        "action": None if rule.action is None else _with_values(asdict(rule.action)),
    }


def _with_values(fields: dict[str, Any]) -> dict[str, Any]:
    """Tag the values that JSON has no type for."""
    for name in ("properties", "parameters"):
        if name in fields:
            fields[name] = {key: _tagged(value) for key, value in fields[name].items()}
    return fields


def _tagged(value: Value) -> Any:
    if isinstance(value, dt.datetime):
        return {"datetime": value.isoformat()}
    return value


def _untagged(values: Mapping[str, Any]) -> dict[str, Value]:
    return {
        key: dt.datetime.fromisoformat(value["datetime"]) if isinstance(value, dict) else value
        for key, value in values.items()
    }


def _read(text: str) -> tuple[Spec, tuple[RuleSpec, ...]]:
    document = json.loads(text)
    rules = tuple(_read_rule(rule) for rule in document.pop("rules"))
    return _SPECS[document.pop("kind")](**document), rules


def _read_rule(document: dict[str, Any]) -> RuleSpec:
    action = document["action"]
    return RuleSpec(
        name=document["name"],
        created_at=document["created_at"],
        filter=_read_filter(document["filter"]),
        action=None if action is None else SqlAction(**_read_values(action)),
    )


def _read_filter(document: dict[str, Any]) -> RuleFilter:
    fields = _read_values(document)
    made: RuleFilter = _FILTERS[fields.pop("kind")](**fields)
    return made


def _read_values(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _untagged(value) if name in ("properties", "parameters") else value
        for name, value in fields.items()
    }
