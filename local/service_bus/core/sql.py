"""The SQL of rules: evaluation, in three values.

`None` stands for unknown, which is what a missing user property and NULL evaluate to. Unknown
spreads through operators as the documentation's tables say; a filter matches only when it is true.
Operands that have no common type (a string and a number) compare as unknown: the message does
not match, and neither does it match the negation. Where C# would overflow or divide by zero,
evaluation fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from local.service_bus.core import sql_tree as tree
from local.service_bus.core.message import Changes, Content, Value
from local.service_bus.core.sql_syntax import Parser
from local.service_bus.core.sql_tokens import SqlSyntaxError
from local.service_bus.core.sql_values import (
    ARITHMETIC,
    COMPARISONS,
    SqlEvaluationError,
    calculate,
    compare,
    like_pattern,
    with_sign,
)

__all__ = ["CompiledAction", "CompiledFilter", "SqlEvaluationError", "SqlSyntaxError"]

SYSTEM_PROPERTIES: Mapping[str, str] = {
    "contenttype": "content_type",
    "correlationid": "correlation_id",
    "label": "subject",
    "subject": "subject",
    "messageid": "message_id",
    "partitionkey": "partition_key",
    "replyto": "reply_to",
    "replytosessionid": "reply_to_session_id",
    "sessionid": "session_id",
    "to": "to",
    "timetolive": "time_to_live",
    "scheduledenqueuetimeutc": "scheduled_at",
    "size": "size",
}
"""Names after `sys.`, in lower case, and the fields of `Content` that hold them."""

_SETTABLE = frozenset(SYSTEM_PROPERTIES) - {"size", "partitionkey"}


class CompiledFilter:
    """A filter's expression, ready to be tried on messages."""

    def __init__(self, expression: str, parameters: Mapping[str, Value] | None = None) -> None:
        self._tree = Parser(expression).predicate_to_end()
        self._parameters = _by_name(parameters)

    def matches(self, content: Content) -> bool:
        """Say whether the expression is true for the message.

        Raises:
            SqlEvaluationError: an unknown system property or parameter, an overflow, a division
                by zero.
        """
        return _Evaluation(content, content.user, self._parameters).truth(self._tree) is True


class CompiledAction:
    """An action's statements, ready to be applied."""

    def __init__(self, expression: str, parameters: Mapping[str, Value] | None = None) -> None:
        self._statements = Parser(expression).statements_to_end()
        self._parameters = _by_name(parameters)

    def changes(self, content: Content) -> Changes:
        """Give what the statements change; each sees the effect of those before it.

        Raises:
            SqlEvaluationError: an unknown or read-only system property, or a value of a wrong type.
        """
        user, system, removed = dict(content.user), dict[str, Value](), set[str]()
        for statement in self._statements:
            target = statement.target
            value: Value = None
            if isinstance(statement, tree.SetProperty):
                value = _Evaluation(content, user, self._parameters, system).value(statement.value)
            if target.scope == "sys":
                field = _settable(target.name)
                system[field] = _converted(field, value)
                continue
            name = _existing(user, target.name)
            if isinstance(statement, tree.RemoveProperty):
                user.pop(name, None)
                removed.add(name)
            else:
                user[name] = value
                removed.discard(name)
        changed = {
            name: value
            for name, value in user.items()
            if name not in content.user or content.user[name] is not value
        }
        return Changes(system=system, user=changed, removed=frozenset(removed))


def _by_name(parameters: Mapping[str, Value] | None) -> dict[str, Value]:
    return {"@" + name.lstrip("@").lower(): value for name, value in (parameters or {}).items()}


def _existing(user: Mapping[str, Value], name: str) -> str:
    """Give the spelling under which the message has the property; names are case-insensitive."""
    if name in user:
        return name
    lowered = name.lower()
    return next((known for known in user if known.lower() == lowered), name)


def _settable(name: str) -> str:
    if name.lower() not in _SETTABLE:
        message = f"sys.{name} cannot be set"
        raise SqlEvaluationError(message)
    return SYSTEM_PROPERTIES[name.lower()]


def _converted(field: str, value: Value) -> Value:
    if field in {"time_to_live", "scheduled_at"}:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            message = f"{field} takes a number of seconds"
            raise SqlEvaluationError(message)
        return value
    return value if value is None or isinstance(value, str) else str(value)


class _Evaluation:
    """One expression on one message; `system` holds what an action has set already."""

    def __init__(
        self,
        content: Content,
        user: Mapping[str, Value],
        parameters: Mapping[str, Value],
        system: Mapping[str, Value] | None = None,
    ) -> None:
        self._content, self._user = content, user
        self._parameters, self._system = parameters, system or {}

    def truth(self, node: tree.Node) -> bool | None:
        match node:
            case tree.Binary("AND", left, right):
                return self._both(left, right)
            case tree.Binary("OR", left, right):
                return self._either(left, right)
            case tree.Unary("NOT", operand):
                known = self.truth(operand)
                return None if known is None else not known
            case tree.Binary(sign, left, right) if sign in COMPARISONS:
                return compare(sign, self.value(left), self.value(right))
            case tree.IsNull(operand):
                return self.value(operand) is None
            case tree.Exists(target):
                return self._exists(target)
            case tree.In(operand, choices):
                return self._in(operand, choices)
            case tree.Like():
                return self._like(node)
        value = self.value(node)
        return value if isinstance(value, bool) else None

    def _both(self, left: tree.Node, right: tree.Node) -> bool | None:
        first = self.truth(left)
        if first is False:
            return False
        second = self.truth(right)
        if second is False:
            return False
        return None if first is None or second is None else True

    def _either(self, left: tree.Node, right: tree.Node) -> bool | None:
        first = self.truth(left)
        if first is True:
            return True
        second = self.truth(right)
        if second is True:
            return True
        return None if first is None or second is None else False

    def _exists(self, target: tree.Property) -> bool:
        if target.scope == "sys":
            return self._read_system(target.name) is not None
        return _existing(self._user, target.name) in self._user

    def _in(self, operand: tree.Node, choices: tuple[tree.Node, ...]) -> bool | None:
        value = self.value(operand)
        if value is None:
            return None
        verdicts = [compare("=", value, self.value(choice)) for choice in choices]
        return True if True in verdicts else (None if None in verdicts else False)

    def _like(self, node: tree.Like) -> bool | None:
        value, pattern = self.value(node.operand), self.value(node.pattern)
        escape = "" if node.escape is None else self.value(node.escape)
        if value is None or pattern is None or escape is None:
            return None
        if not isinstance(pattern, str) or not isinstance(escape, str):
            raise SqlEvaluationError("LIKE takes strings")
        if node.escape is not None and len(escape) != 1:
            raise SqlEvaluationError("ESCAPE takes one character")
        if not isinstance(value, str):
            return None
        return like_pattern(pattern, escape).fullmatch(value) is not None

    def value(self, node: tree.Node) -> Value:
        match node:
            case tree.Constant(value):
                return value
            case tree.Property("sys", name):
                return self._read_system(name)
            case tree.Property(_, name):
                return self._user.get(_existing(self._user, name))
            case tree.Parameter(name):
                if name.lower() not in self._parameters:
                    message = f"the parameter {name} has no value"
                    raise SqlEvaluationError(message)
                return self._parameters[name.lower()]
            case tree.Named(name):
                named = self.value(name)
                return (
                    self._user.get(_existing(self._user, named)) if isinstance(named, str) else None
                )
            case tree.NewId():
                return uuid.uuid4()
            case tree.Unary(sign, operand) if sign != "NOT":
                return with_sign(sign, self.value(operand))
            case tree.Binary(sign, left, right) if sign in ARITHMETIC:
                return calculate(sign, self.value(left), self.value(right))
        return self.truth(node)

    def _read_system(self, name: str) -> Value:
        field = SYSTEM_PROPERTIES.get(name.lower())
        if field is None:
            known = ", ".join(sorted(SYSTEM_PROPERTIES))
            message = f"sys.{name} is no property that filters can read ({known})"
            raise SqlEvaluationError(message)
        value: Value = (
            self._system[field] if field in self._system else getattr(self._content, field)
        )
        return value
