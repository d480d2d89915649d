"""Rules of subscriptions as XML."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

import isodate  # type: ignore[import-untyped]  # has no annotations

from local.service_bus.admin.fields import moment, tag
from local.service_bus.core.entities import (
    CorrelationFilter,
    FalseFilter,
    RuleFilter,
    RuleSpec,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from local.service_bus.core.errors import InvalidArgumentError
from local.service_bus.core.message import Value

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_SCHEMA = "http://www.w3.org/2001/XMLSchema"
_LARGEST_INT = 2**31 - 1

_CORRELATION = {
    "CorrelationId": "correlation_id",
    "MessageId": "message_id",
    "To": "to",
    "ReplyTo": "reply_to",
    "Label": "label",
    "SessionId": "session_id",
    "ReplyToSessionId": "reply_to_session_id",
    "ContentType": "content_type",
}


def read_rule(description: ET.Element | None, name: str) -> RuleSpec:
    """Read a rule; without a filter it matches everything.

    Raises:
        InvalidArgumentError: a filter, an action or a value is of no known kind.
    """
    if description is None:
        return RuleSpec(name=name)
    action = description.find(tag("Action"))
    given = None
    if action is not None and _kind(action) == "SqlRuleAction" and _text(action, "SqlExpression"):
        given = SqlAction(**_sql(action))
    return RuleSpec(name=name, filter=_read_filter(description.find(tag("Filter"))), action=given)


def _read_filter(element: ET.Element | None) -> RuleFilter:
    kind = "TrueFilter" if element is None else _kind(element)
    if element is None or kind == "TrueFilter":
        return TrueFilter()
    if kind == "FalseFilter":
        return FalseFilter()
    if kind == "SqlFilter":
        return SqlFilter(**_sql(element))
    if kind != "CorrelationFilter":
        message = f"A filter of the type '{kind}' is not known."
        raise InvalidArgumentError(message)
    fields: dict[str, Any] = {
        field: text
        for name, field in _CORRELATION.items()
        if (text := _text(element, name)) is not None
    }
    return CorrelationFilter(properties=_read_values(element.find(tag("Properties"))), **fields)


def _kind(element: ET.Element) -> str:
    return element.get(_XSI_TYPE, "").rpartition(":")[2]


def _text(element: ET.Element, name: str) -> str | None:
    child = element.find(tag(name))
    return None if child is None else child.text or ""


def _sql(element: ET.Element) -> dict[str, Any]:
    return {
        "expression": _text(element, "SqlExpression") or "",
        "parameters": _read_values(element.find(tag("Parameters"))),
    }


def _read_values(parent: ET.Element | None) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for pair in () if parent is None else parent.findall(tag("KeyValueOfstringanyType")):
        key, value = pair.find(tag("Key")), pair.find(tag("Value"))
        if key is not None and value is not None:
            values[key.text or ""] = _read_value(_kind(value), value.text or "")
    return values


def _read_value(kind: str, text: str) -> Value:
    try:
        if kind in {"int", "long", "short", "byte"}:
            return int(text)
        if kind in {"double", "float", "decimal"}:
            return float(text)
        if kind == "boolean":
            return text.lower() == "true"
        if kind == "dateTime":
            at: dt.datetime = isodate.parse_datetime(text)
            return at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    except (ValueError, isodate.ISO8601Error):
        message = f"'{text}' is no value of the type {kind}."
        raise InvalidArgumentError(message) from None
    return text


def write_rule(rule: RuleSpec) -> ET.Element:
    """Write a rule."""
    description = ET.Element(tag("RuleDescription"))
    description.append(_write_filter(rule.filter))
    action = ET.SubElement(description, tag("Action"))
    if rule.action is None:
        action.set(_XSI_TYPE, "EmptyRuleAction")
    else:
        action.set(_XSI_TYPE, "SqlRuleAction")
        _write_sql(action, rule.action.expression, rule.action.parameters)
    ET.SubElement(description, tag("CreatedAt")).text = moment(rule.created_at)
    ET.SubElement(description, tag("Name")).text = rule.name
    return description


def _write_filter(rule_filter: RuleFilter) -> ET.Element:
    element = ET.Element(tag("Filter"))
    match rule_filter:
        case TrueFilter():
            element.set(_XSI_TYPE, "TrueFilter")
            _write_sql(element, "1=1", {})
        case FalseFilter():
            element.set(_XSI_TYPE, "FalseFilter")
            _write_sql(element, "1=0", {})
        case SqlFilter(expression=expression, parameters=parameters):
            element.set(_XSI_TYPE, "SqlFilter")
            _write_sql(element, expression, parameters)
        case CorrelationFilter(properties=properties):
            element.set(_XSI_TYPE, "CorrelationFilter")
            for name, field in _CORRELATION.items():
                value = getattr(rule_filter, field)
                if value is not None:
                    ET.SubElement(element, tag(name)).text = value
            _write_values(element, "Properties", properties)
    return element


def _write_sql(element: ET.Element, expression: str, parameters: Mapping[str, Value]) -> None:
    ET.SubElement(element, tag("SqlExpression")).text = expression
    ET.SubElement(element, tag("CompatibilityLevel")).text = "20"
    _write_values(element, "Parameters", parameters)


def _write_values(element: ET.Element, name: str, values: Mapping[str, Value]) -> None:
    parent = ET.SubElement(element, tag(name))
    for key, value in values.items():
        kind, text = _typed(value)
        pair = ET.SubElement(parent, tag("KeyValueOfstringanyType"))
        ET.SubElement(pair, tag("Key")).text = key
        attributes = {_XSI_TYPE: f"d6p1:{kind}", "xmlns:d6p1": _SCHEMA}
        ET.SubElement(pair, tag("Value"), attributes).text = text


def _typed(value: Value) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, int):
        return ("int" if abs(value) <= _LARGEST_INT else "long"), str(value)
    if isinstance(value, float):
        return "double", repr(value)
    if isinstance(value, dt.datetime):
        return "dateTime", value.isoformat()
    return "string", str(value)
