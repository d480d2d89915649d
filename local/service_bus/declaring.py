"""Bringing a namespace to what a file declares, without losing anything silently.

New entities are made, changed ones changed. An entity that the file no longer names stays, with its
messages, and is reported. What was changed through the administration client after an
unchanged declaration stays changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from local.process import LocalError
from local.service_bus.config import Declaration, DeclaredSubscription
from local.service_bus.core.entities import DEFAULT_RULE, QueueSpec, RuleSpec, Spec, TopicSpec
from local.service_bus.core.errors import BrokerError, EntityNotFoundError, InvalidArgumentError
from local.service_bus.core.namespace import Namespace
from local.service_bus.core.queues import Entity, Queue, Subscription, Topic


def apply_declaration(namespace: Namespace, declaration: Declaration) -> list[str]:
    """Make and change entities; give a sentence for each that is left over.

    Raises:
        LocalError: an entity cannot be changed as declared; says why and what to do.
    """
    declared: list[tuple[Spec, tuple[RuleSpec, ...]]] = []
    declared += [(queue, ()) for queue in declaration.queues]
    declared += [(topic, ()) for topic in declaration.topics]
    declared += [(given.spec, _rules(given)) for given in declaration.subscriptions]
    try:
        # Entities may forward to ones declared after them: first all without forwarding, then with.
        for spec, rules in declared:
            _ensure(namespace, spec, rules)
        for spec, rules in declared:
            _bring(namespace, spec, rules)
    except BrokerError as refused:
        raise LocalError(f"The entities file cannot be applied: {refused}") from None
    paths = {_path(spec).lower() for spec, _ in declared}
    return [_left(entity) for entity in namespace.directory if _stale(entity, paths)]


def _rules(declared: DeclaredSubscription) -> tuple[RuleSpec, ...]:
    return declared.rules or (RuleSpec(name=DEFAULT_RULE),)


def _path(spec: Spec) -> str:
    return spec.name if isinstance(spec, QueueSpec | TopicSpec) else spec.path


def _find(namespace: Namespace, spec: Spec) -> Entity | None:
    try:
        return namespace.directory.entity(_path(spec))
    except EntityNotFoundError:
        return None


def _ensure(namespace: Namespace, spec: Spec, rules: Sequence[RuleSpec]) -> None:
    """Make the entity if it is not there, or if it has to be made anew and is empty."""
    entity = _find(namespace, spec)
    if entity is not None and _must_be_remade(entity, spec):
        if sum(len(mailbox) for mailbox in entity.mailboxes()):
            message = (
                f"'{entity.path}' is declared with another kind, RequiresSession or "
                "RequiresDuplicateDetection than it has, and these cannot change while messages "
                "are in it. Empty it, delete it with the administration client, or start with "
                "another --state folder."
            )
            raise InvalidArgumentError(message)
        namespace.delete(entity)
        entity = None
    if entity is not None:
        return
    if isinstance(spec, TopicSpec):
        namespace.create_topic(spec)
        return
    alone = replace(spec, forward_to=None, forward_dead_lettered_messages_to=None)
    if isinstance(alone, QueueSpec):
        namespace.create_queue(alone)
    else:
        namespace.create_subscription(alone, *rules)


def _must_be_remade(entity: Entity, spec: Spec) -> bool:
    if type(entity.spec) is not type(spec):
        return True
    names = ("requires_session", "requires_duplicate_detection")
    return any(getattr(entity.spec, name, None) != getattr(spec, name, None) for name in names)


def _bring(namespace: Namespace, spec: Spec, rules: Sequence[RuleSpec]) -> None:
    """Change the entity if the declaration is not the one that was applied last."""
    entity = namespace.directory.entity(_path(spec))
    if entity.declared != spec:
        namespace.update(spec)
    if isinstance(entity, Subscription):
        _bring_rules(namespace, entity, tuple(rules))
        entity.declared_rules = tuple(rules)
    entity.declared = spec
    namespace.save(entity)


def _bring_rules(
    namespace: Namespace, subscription: Subscription, rules: tuple[RuleSpec, ...]
) -> None:
    before = {rule.name.lower(): rule for rule in subscription.declared_rules or ()}
    now = {rule.name.lower(): rule for rule in rules}
    for name in before.keys() - now.keys() & subscription.rules.keys():
        namespace.delete_rule(subscription, name)
    for name, rule in now.items():
        if name not in subscription.rules:
            namespace.put_rule(subscription, rule, replacing=False)
        elif before.get(name) != rule and subscription.rules[name].spec != rule:
            namespace.put_rule(subscription, rule, replacing=True)


def _stale(entity: Entity, paths: set[str]) -> bool:
    return entity.declared is not None and entity.path.lower() not in paths


def _left(entity: Entity) -> str:
    kind = {Queue: "queue", Topic: "topic", Subscription: "subscription"}[type(entity)]
    count = sum(len(mailbox) for mailbox in entity.mailboxes())
    return (
        f"The {kind} '{entity.path}' is no longer in the entities file. It stays, with {count} "
        "messages; delete it with the administration client if it is not needed."
    )
