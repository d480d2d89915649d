"""Rules of a subscription: which messages it gets, and in which form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from local.service_bus.core.entities import (
    LONGEST_EXPRESSION,
    CorrelationFilter,
    FalseFilter,
    RuleFilter,
    RuleSpec,
    SqlFilter,
    TrueFilter,
    check_name,
)
from local.service_bus.core.errors import InvalidArgumentError
from local.service_bus.core.message import Changes, Content
from local.service_bus.core.sql import CompiledAction, CompiledFilter, SqlEvaluationError

Predicate = Callable[[Content], bool]

_CORRELATED = {
    "correlation_id": "correlation_id",
    "message_id": "message_id",
    "to": "to",
    "reply_to": "reply_to",
    "label": "subject",
    "session_id": "session_id",
    "reply_to_session_id": "reply_to_session_id",
    "content_type": "content_type",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What a subscription's rules make of one message: a copy for each element of `copies`.

    `failures` tells of rules that could not be evaluated.
    """

    copies: tuple[Changes, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule, ready to be tried."""

    spec: RuleSpec
    matches: Predicate = field(repr=False)
    action: CompiledAction | None = field(default=None, repr=False)


def compile_rule(spec: RuleSpec) -> Rule:
    """Make a rule ready.

    Raises:
        InvalidArgumentError: its name, its filter or its action is not valid; says why.
    """
    check_name(spec.name.removeprefix("$"), what="rule", longest=50)
    action = None
    if spec.action is not None and spec.action.expression.strip():
        _check_length(spec.action.expression)
        action = CompiledAction(spec.action.expression, spec.action.parameters)
    return Rule(spec=spec, matches=_predicate(spec.filter), action=action)


def _check_length(expression: str) -> None:
    if len(expression) > LONGEST_EXPRESSION:
        message = (
            f"The SQL expression has {len(expression)} characters, "
            f"at most {LONGEST_EXPRESSION} are allowed."
        )
        raise InvalidArgumentError(message)


def _predicate(rule_filter: RuleFilter) -> Predicate:
    match rule_filter:
        case TrueFilter():
            return lambda _content: True
        case FalseFilter():
            return lambda _content: False
        case SqlFilter(expression=expression, parameters=parameters):
            _check_length(expression)
            return CompiledFilter(expression, parameters).matches
        case CorrelationFilter():
            return _correlation(rule_filter)


def _correlation(rule_filter: CorrelationFilter) -> Predicate:
    system = [
        (attribute, getattr(rule_filter, name))
        for name, attribute in _CORRELATED.items()
        if getattr(rule_filter, name) is not None
    ]
    user = list(rule_filter.properties.items())
    if not system and not user:
        raise InvalidArgumentError("A correlation filter needs at least one property to match.")

    def matches(content: Content) -> bool:
        return all(getattr(content, name) == value for name, value in system) and all(
            _same(content.user.get(name), value) for name, value in user
        )

    return matches


def _same(actual: object, wanted: object) -> bool:
    return actual == wanted and isinstance(actual, bool) == isinstance(wanted, bool)


def select(rules: Iterable[Rule], content: Content) -> Selection:
    """Try a subscription's rules on a message.

    Rules without action together give one unchanged copy; each rule with an action gives a copy
    of its own, which carries the rule's name in the property `RuleName`.
    """
    copies, failures, plain = [], [], False
    for rule in rules:
        try:
            if not rule.matches(content):
                continue
            if rule.action is None:
                plain = True
                continue
            changes = rule.action.changes(content)
        except SqlEvaluationError as failed:
            failures.append(f"Rule '{rule.spec.name}': {failed}.")
            continue
        named = Changes(
            system=changes.system,
            user={**changes.user, "RuleName": rule.spec.name},
            removed=changes.removed - {"RuleName"},
        )
        copies.append(named)
    unchanged = (Changes(),) if plain else ()
    return Selection(copies=(*unchanged, *copies), failures=tuple(failures))
