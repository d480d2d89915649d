"""What changed between two JSON Schemas of one record, and in which direction each change goes.

A change *tightens* when something that was valid no longer is: it breaks those who write. It
*loosens* when something becomes valid that was not: it breaks those who read. Many do both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mesh.model.canonical import canonical_json
from mesh.model.compatibility_bounds import NUMERIC, TEMPORAL, bound_changes, exact, unit_change

_TEXTS = ("pattern", "format", "dateTimeFormat", "const", "contentEncoding", "propertyNames")
_KNOWN = frozenset(
    {
        *NUMERIC, *TEMPORAL, *_TEXTS, "type", "enum", "multipleOf", "uniqueItems", "properties",
        "required", "additionalProperties", "items", "allOf",
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
    if _same(old, new):
        return
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield Step(field, "schema", _said(field, "has another schema"), True, True)
        return
    old, new = _folded(old), _folded(new)
    yield from _types(old, new, field)
    for keyword, text, tightens, loosens in (*bound_changes(old, new), *unit_change(old, new)):
        yield Step(field, keyword, _said(field, text), tightens, loosens)
    yield from _enum(old, new, field)
    yield from _texts(old, new, field)
    yield from _parts(old, new, field)
    yield from _members(old, new, field)
    if not _same(old.get("items", True), new.get("items", True)):
        yield from _optional_schema(old, new, "items", f"{field}[]")
    for keyword in sorted((old.keys() | new.keys()) - _KNOWN - _SILENT):
        if not _same(old.get(keyword), new.get(keyword)):
            text = _said(field, f"has another {keyword}, which cannot be compared")
            yield Step(field, keyword, text, True, True)


def _folded(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with the numeric bounds of its `allOf` among its own: the strictest count."""
    parts = schema.get("allOf") or ()
    ranges = [part for part in parts if isinstance(part, Mapping) and part.keys() <= _SPAN]
    if not ranges:
        return schema
    folded = {name: value for name, value in schema.items() if name != "allOf"}
    for part in ranges:
        for name, value in part.items():
            stricter = max if name == "minimum" else min
            folded[name] = stricter(folded.get(name, value), value, key=exact)
    rest = [part for part in parts if part not in ranges]
    return {**folded, "allOf": rest} if rest else folded


_SPAN = frozenset({"minimum", "maximum"})


def _parts(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    """Each member of `allOf` is a condition of its own."""
    before, after = (
        {canonical_json(part) for part in schema.get("allOf") or ()} for schema in (old, new)
    )
    if before != after:
        text = _said(field, "has other conditions (allOf)")
        yield Step(field, "allOf", text, bool(after - before), bool(before - after))


def _types(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    before, after = _type_set(old), _type_set(new)
    lost, won = before - after - {"null"}, after - before - {"null"}
    if lost or won:
        names = [before - {"null"}, after - {"null"}]
        # Where a number is admitted, that it may be an integer goes without saying.
        shown = [kinds - {"integer"} if "number" in kinds else kinds for kinds in names]
        said = ["anything" if len(kinds) == _ALL else " or ".join(sorted(kinds)) for kinds in shown]
        text = _said(field, f"is now {said[1] or 'null'} instead of {said[0] or 'null'}")
        yield Step(field, "type", text, bool(lost), bool(won))
    was, now = _admits_null(old, before), _admits_null(new, after)
    if was and not now:
        yield Step(field, "null", _said(field, "may no longer be null"), True, False)
    if now and not was:
        yield Step(field, "null", _said(field, "may now be null"), False, True)


_ALL = 5
"""How many types there are besides null, and integer beside number."""


def _admits_null(schema: Mapping[str, Any], types: Iterable[str]) -> bool:
    return "null" in types and (schema.get("enum") is None or None in schema["enum"])


def _type_set(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types by name; `number` counts as two, for every integer is one."""
    declared = schema.get("type")
    if declared is None:
        every = {"null", "boolean", "object", "array", "number", "integer", "string"}
        return frozenset(every)
    names = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(names | {"integer"} if "number" in names else names)


def _enum(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    before, after = old.get("enum"), new.get("enum")
    if before is None and after is not None:
        yield Step(field, "enum", _said(field, "is now limited to listed values"), True, False)
    elif before is not None and after is None:
        yield Step(
            field, "enum", _said(field, "is no longer limited to listed values"), False, True
        )
    elif before is not None and after is not None:
        listed = [{_key(value): value for value in values} for values in (before, after)]
        for key, value in listed[0].items():
            if value is not None and key not in listed[1]:
                yield Step(field, "enum", _said(field, f"no longer admits {value!r}"), True, False)
        for key, value in listed[1].items():
            if value is not None and key not in listed[0]:
                yield Step(field, "enum", _said(field, f"now admits {value!r}, too"), False, True)


def _texts(old: Mapping[str, Any], new: Mapping[str, Any], field: str) -> Iterator[Step]:
    for keyword in _TEXTS:
        before, after = old.get(keyword), new.get(keyword)
        if (keyword in old) == (keyword in new) and _same(before, after):
            continue
        if keyword not in old:
            text = _said(field, f"now has a {keyword}: {after}")
        elif keyword not in new:
            text = _said(field, f"has no {keyword} any more")
        else:
            text = _said(field, f"has another {keyword}: {after} instead of {before}")
        yield Step(field, keyword, text, keyword in new, keyword in old)
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
            must = name in now
            # In a contract, what is required may not be null either: one change, told once.
            told = ("null", must, not must)
            steps = [step for step in steps if (step.rule, step.tightens, step.loosens) != told]
            text = _said(label, "is now required" if must else "is no longer required")
            steps.insert(0, Step(label, "required", text, must, not must))
        yield from steps
    for name in after:
        if name not in before:
            label = f"{field}.{name}" if field else name
            yield _added(label, required=name in now, open_before=_is_open(old))
    for name in sorted(
        (was ^ now) - (before.keys() & after.keys()) - (after.keys() - before.keys())
    ):
        label, must = f"{field}.{name}" if field else name, name in now
        text = _said(label, "is now required" if must else "is no longer required")
        yield Step(label, "required", text, must, not must)
    if not _same(old.get("additionalProperties", True), new.get("additionalProperties", True)):
        yield from _optional_schema(old, new, "additionalProperties", field)


def _is_open(schema: Mapping[str, Any]) -> bool:
    """Whether a record may hold fields that the schema does not name."""
    return schema.get("additionalProperties", True) is not False or "patternProperties" in schema


def _added(label: str, *, required: bool, open_before: bool) -> Step:
    """In a closed model a new optional field breaks nobody: readers pass it by.

    In an open one, records may have held something else under that name.
    """
    text = _said(label, "is new and required" if required else "is new and optional")
    return Step(label, "added", text, required or open_before, False)


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


def _same(old: Any, new: Any) -> bool:
    """Whether two JSON values mean the same; `true` is not 1."""
    return bool(old == new) and json.dumps(old, default=str) == json.dumps(new, default=str)


def _key(value: Any) -> object:
    """What makes a JSON value equal to another: 1.0 is 1, and true is not."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return exact(value)
    return json.dumps(value, sort_keys=True, default=str)


def _said(field: str, predicate: str) -> str:
    return f"{field or 'The record'} {predicate}."
