"""What changed between two JSON Schemas of one record, and in which direction each change goes.

A change *tightens* when something that was valid no longer is: it breaks those who write. It
*loosens* when something becomes valid that was not: it breaks those who read. Many do both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_TEXTS = (
    "pattern", "format", "dateTimeFormat", "const", "formatMinimum", "formatMaximum",
    "formatExclusiveMinimum", "formatExclusiveMaximum", "contentEncoding", "propertyNames",
)  # fmt: skip
_KNOWN = frozenset(
    {
        *_LOWER, *_UPPER, *_TEXTS, "type", "enum", "multipleOf", "uniqueItems", "properties",
        "required", "additionalProperties", "items",
    }
)  # fmt: skip
_SILENT = frozenset(
    {
        "title", "description", "default", "examples", "$comment", "$id", "$schema", "deprecated",
        "readOnly", "writeOnly", "contentMediaType", "classification",
    }
)  # fmt: skip


class Step(NamedTuple):
    """One change: where, which keyword, what happened, and whom it can break."""

    field: str
    rule: str
    message: str
    tightens: bool
    loosens: bool


def schema_steps(old: Any, new: Any, field: str = "") -> Iterator[Step]:
    """The changes from one schema to another, of a value or of a whole record."""
    if old == new:
        return
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield Step(field, "schema", _said(field, "has another schema"), True, True)
        return
    yield from _types(old, new, field)
    yield from _bounds(old, new, field)
    yield from _enum(old, new, field)
    yield from _multiple(old, new, field)
    yield from _texts(old, new, field)
    yield from _members(old, new, field)
    if old.get("items") != new.get("items"):
        yield from _optional_schema(old, new, "items", f"{field}[]")
    for keyword in sorted((old.keys() | new.keys()) - _KNOWN - _SILENT):
        if old.get(keyword) != new.get(keyword):
            text = _said(field, f"has another {keyword}, which cannot be compared")
            yield Step(field, keyword, text, True, True)


def _types(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    before, after = _type_set(old), _type_set(new)
    if before == after:
        return
    lost, won = before - after, after - before
    if lost - {"null"} or won - {"null"}:
        old_names, new_names = (" or ".join(sorted(x - {"null"})) for x in (before, after))
        if "number" in after and lost <= {"null"}:
            old_names, new_names = "integer", "number"
        text = _said(
            field, f"is now {new_names or 'anything'} instead of {old_names or 'anything'}"
        )
        yield Step(field, "type", text, bool(lost - {"null"}), bool(won - {"null"}))
    if "null" in lost:
        yield Step(field, "null", _said(field, "may no longer be null"), True, False)
    if "null" in won:
        yield Step(field, "null", _said(field, "may now be null"), False, True)


def _type_set(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types by name; `number` counts as two, for every integer is one."""
    declared = schema.get("type")
    if declared is None:
        every = {"null", "boolean", "object", "array", "number", "integer", "string"}
        return frozenset(every)
    names = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(names | {"integer"} if "number" in names else names)


def _bounds(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    for keyword in (*_LOWER, *_UPPER):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        if before is None or after is None:
            tightens = before is None
        else:
            grows = _exact(after) > _exact(before)
            tightens = grows == (keyword in _LOWER)
        verb = "tightened" if tightens else "loosened"
        text = _said(
            field, f"has its {keyword} {verb} from {_or_none(before)} to {_or_none(after)}"
        )
        yield Step(field, keyword, text, tightens, not tightens)


def _enum(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    before, after = old.get("enum"), new.get("enum")
    if before is None and after is not None:
        yield Step(field, "enum", _said(field, "is now limited to listed values"), True, False)
    elif before is not None and after is None:
        yield Step(
            field, "enum", _said(field, "is no longer limited to listed values"), False, True
        )
    elif before is not None and after is not None:
        for value in (value for value in before if value is not None and value not in after):
            yield Step(field, "enum", _said(field, f"no longer admits {value!r}"), True, False)
        for value in (value for value in after if value is not None and value not in before):
            yield Step(field, "enum", _said(field, f"now admits {value!r}, too"), False, True)


def _multiple(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    before, after = old.get("multipleOf"), new.get("multipleOf")
    if before == after:
        return
    tightens = before is None or (after is not None and not _divides(after, before))
    loosens = after is None or (before is not None and not _divides(before, after))
    text = _said(field, f"has its multipleOf changed from {_or_none(before)} to {_or_none(after)}")
    yield Step(field, "multipleOf", text, tightens, loosens)


def _divides(unit: Any, number: Any) -> bool:
    return _exact(number) % _exact(unit) == 0


def _texts(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    for keyword in _TEXTS:
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        if before is None:
            text = _said(field, f"now has a {keyword}: {after}")
        elif after is None:
            text = _said(field, f"has no {keyword} any more")
        else:
            text = _said(field, f"has another {keyword}: {after} instead of {before}")
        yield Step(field, keyword, text, after is not None, before is not None)
    before, after = bool(old.get("uniqueItems")), bool(new.get("uniqueItems"))
    if before != after:
        text = _said(field, "must" if after else "need no longer") + " hold different entries"
        yield Step(field, "uniqueItems", text.replace(". hold", " hold") + ".", after, before)


def _members(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    before: Mapping[str, Any] = old.get("properties") or {}
    after: Mapping[str, Any] = new.get("properties") or {}
    was, now = set(old.get("required") or ()), set(new.get("required") or ())
    for name, schema in before.items():
        label = f"{field}.{name}" if field else name
        if name not in after:
            yield Step(label, "removed", _said(label, "is removed"), True, True)
            continue
        steps = list(schema_steps(schema, after[name], label))
        if (name in was) != (name in now):
            # In a contract, what is required may not be null either: one change, told once.
            steps = [step for step in steps if step.rule != "null"]
            must = name in now
            text = _said(label, "is now required" if must else "is no longer required")
            steps.insert(0, Step(label, "required", text, must, not must))
        yield from steps
    for name, schema in after.items():
        if name not in before:
            label = f"{field}.{name}" if field else name
            yield _added(label, required=name in now, default=schema)
    if old.get("additionalProperties", True) != new.get("additionalProperties", True):
        yield from _optional_schema(old, new, "additionalProperties", field)


def _added(label: str, *, required: bool, default: Any) -> Step:
    """In a closed model a new optional field breaks nobody: readers pass it by."""
    filled = isinstance(default, Mapping) and "default" in default
    text = _said(label, "is new and required" if required else "is new and optional")
    return Step(label, "added", text, required and not filled, False)


def _optional_schema(
    old: Mapping[str, Any], new: Mapping[str, Any], keyword: str, label: str
) -> Iterator[Step]:
    before, after = old.get(keyword, True), new.get(keyword, True)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        inner = label if keyword == "items" else f"{label}.*" if label else "*"
        yield from schema_steps(before, after, inner)
        return
    tightens = after is False or (before is True and after is not True)
    loosens = before is False or (after is True and before is not True)
    what = "tightens" if tightens else "loosens"
    text = _said(label, f"{what} what it may hold ({keyword})")
    yield Step(label, keyword, text, tightens, loosens)


def _exact(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _or_none(value: Any) -> str:
    return "none" if value is None else str(value)


def _said(field: str, predicate: str) -> str:
    return f"{field or 'The record'} {predicate}."
