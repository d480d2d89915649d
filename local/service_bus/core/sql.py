"""The SQL of rules: evaluation, in three values.

`None` stands for unknown, which is what a missing user property and NULL evaluate to. Unknown
spreads through operators as the documentation's tables say; a filter matches only when it is true.
Operands that have no common type (a string and a number) compare as unknown: the message does
not match, and neither does it match the negation. Where C# would overflow or divide by zero,
evaluation fails.
"""

from __future__ import annotations

import datetime
import math
import operator
import re
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache

from local.service_bus.core import sql_syntax as syntax
from local.service_bus.core.message import Changes, Content, Value
from local.service_bus.core.sql_syntax import SqlSyntaxError

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
_INT64 = range(-(2**63), 2**63)


class SqlEvaluationError(Exception):
    """The expression cannot be evaluated for this message."""


class CompiledFilter:
    """A filter's expression, ready to be tried on messages."""

    def __init__(self, expression: str, parameters: Mapping[str, Value] | None = None) -> None:
        self._tree = syntax.Parser(expression).predicate_to_end()
        self._parameters = _by_name(parameters)

    def matches(self, content: Content) -> bool:
        """Say whether the expression is true for the message.

        Raises:
            SqlEvaluationError: an unknown system property or parameter, an overflow, a division by zero.
        """
        return _Evaluation(content, content.user, self._parameters).truth(self._tree) is True


class CompiledAction:
    """An action's statements, ready to be applied."""

    def __init__(self, expression: str, parameters: Mapping[str, Value] | None = None) -> None:
        self._statements = syntax.Parser(expression).statements_to_end()
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
            if isinstance(statement, syntax.SetProperty):
                value = _Evaluation(content, user, self._parameters, system).value(statement.value)
            if target.scope == "sys":
                field = _settable(target.name)
                system[field] = _converted(field, value)
                continue
            name = _existing(user, target.name)
            if isinstance(statement, syntax.RemoveProperty):
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

    def truth(self, node: syntax.Node) -> bool | None:
        match node:
            case syntax.Binary("AND", left, right):
                return self._both(left, right)
            case syntax.Binary("OR", left, right):
                return self._either(left, right)
            case syntax.Unary("NOT", operand):
                known = self.truth(operand)
                return None if known is None else not known
            case syntax.Binary(sign, left, right) if sign in _COMPARISONS:
                return _compare(sign, self.value(left), self.value(right))
            case syntax.IsNull(operand):
                return self.value(operand) is None
            case syntax.Exists(target):
                return self._exists(target)
            case syntax.In(operand, choices):
                return self._in(operand, choices)
            case syntax.Like():
                return self._like(node)
        value = self.value(node)
        return value if isinstance(value, bool) else None

    def _both(self, left: syntax.Node, right: syntax.Node) -> bool | None:
        first = self.truth(left)
        if first is False:
            return False
        second = self.truth(right)
        if second is False:
            return False
        return None if first is None or second is None else True

    def _either(self, left: syntax.Node, right: syntax.Node) -> bool | None:
        first = self.truth(left)
        if first is True:
            return True
        second = self.truth(right)
        if second is True:
            return True
        return None if first is None or second is None else False

    def _exists(self, target: syntax.Property) -> bool:
        if target.scope == "sys":
            return self._read_system(target.name) is not None
        return _existing(self._user, target.name) in self._user

    def _in(self, operand: syntax.Node, choices: tuple[syntax.Node, ...]) -> bool | None:
        value = self.value(operand)
        if value is None:
            return None
        verdicts = [_compare("=", value, self.value(choice)) for choice in choices]
        return True if True in verdicts else (None if None in verdicts else False)

    def _like(self, node: syntax.Like) -> bool | None:
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
        return _pattern(pattern, escape).fullmatch(value) is not None

    def value(self, node: syntax.Node) -> Value:
        match node:
            case syntax.Constant(value):
                return value
            case syntax.Property("sys", name):
                return self._read_system(name)
            case syntax.Property(_, name):
                return self._user.get(_existing(self._user, name))
            case syntax.Parameter(name):
                if name.lower() not in self._parameters:
                    message = f"the parameter {name} has no value"
                    raise SqlEvaluationError(message)
                return self._parameters[name.lower()]
            case syntax.Named(name):
                named = self.value(name)
                return self._user.get(_existing(self._user, named)) if isinstance(named, str) else None
            case syntax.NewId():
                return uuid.uuid4()
            case syntax.Unary(sign, operand) if sign != "NOT":
                return _signed(sign, self.value(operand))
            case syntax.Binary(sign, left, right) if sign in _ARITHMETIC:
                return _calculate(sign, self.value(left), self.value(right))
        return self.truth(node)

    def _read_system(self, name: str) -> Value:
        field = SYSTEM_PROPERTIES.get(name.lower())
        if field is None:
            known = ", ".join(sorted(SYSTEM_PROPERTIES))
            message = f"sys.{name} is no property that filters can read ({known})"
            raise SqlEvaluationError(message)
        value: Value = self._system[field] if field in self._system else getattr(self._content, field)
        return value


_COMPARISONS: Mapping[str, Callable[[object, object], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]  # operands are checked to be comparable
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}
_ARITHMETIC = frozenset("+-*/%")


def _family(value: Value) -> type:
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)


def _compare(sign: str, left: Value, right: Value) -> bool | None:
    if left is None or right is None:
        return None
    left, right = _aligned(left, right), _aligned(right, left)
    family = _family(left)
    if family is not _family(right):
        return None
    if family in {bool, uuid.UUID, bytes} and sign not in {"=", "<>"}:
        return None
    return _COMPARISONS[sign](left, right)


def _aligned(value: Value, other: Value) -> Value:
    """Read a string as a GUID where it is compared with one: there are no GUID literals."""
    if isinstance(value, str) and isinstance(other, uuid.UUID):
        try:
            return uuid.UUID(value)
        except ValueError:
            return value
    return value


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _signed(sign: str, value: Value) -> Value:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"'{sign}' takes a number"
        raise SqlEvaluationError(message)
    return _fitting(-value) if sign == "-" else value


def _calculate(sign: str, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    if sign == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _shown(left) + _shown(right)
    if not (_is_number(left) and _is_number(right)):
        message = f"'{sign}' takes numbers"
        raise SqlEvaluationError(message)
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    try:
        return _fitting(_numeric(sign, left, right))
    except ZeroDivisionError:
        raise SqlEvaluationError("division by zero") from None


def _numeric(sign: str, left: float, right: float) -> float:
    """Calculate as C# does: integers divide towards zero, a remainder has its dividend's sign."""
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        quotient = quotient if (left < 0) == (right < 0) else -quotient
        return quotient if sign == "/" else left - right * quotient
    if sign == "/" and right:
        return left / right
    if sign == "%" and right and math.isfinite(left):
        return math.fmod(left, right)
    return math.copysign(math.inf, left) if sign == "/" and left else math.nan


def _fitting(value: float) -> float:
    if isinstance(value, int) and value not in _INT64:
        raise SqlEvaluationError("the result does not fit 64 bits")
    return value


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return str(value)


@lru_cache(maxsize=1024)
def _pattern(pattern: str, escape: str) -> re.Pattern[str]:
    parts, characters = [], iter(pattern)
    for character in characters:
        if escape and character == escape:
            parts.append(re.escape(next(characters, escape)))
        elif character == "%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        else:
            parts.append(re.escape(character))
    return re.compile("".join(parts), re.DOTALL)
