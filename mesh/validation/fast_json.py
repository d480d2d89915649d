"""Runs of good records in JSON Lines, found by one regular expression.

The order of the keys is learnt from a good record; a record in another order is judged.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mesh.validation.json_values import parse_json
from mesh.validation.key_bytes import canonical
from mesh.validation.line_expressions import LineExpressions, line_expressions
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Plan
from mesh.validation.quality import Quality
from mesh.validation.types import admits_null, json_types
from mesh.validation.value_bytes import ANNOTATIONS, number_bytes, string_bytes
from mesh.validation.writing import Writing

_TEXT = Writing(
    plain=frozenset(range(0x20, 0x80)) - {0x22, 0x5C},
    escaped=(rb'\\["\\/bfnrt]',),
)
_OBJECT = frozenset({"type", "properties", "required", "additionalProperties"}) | ANNOTATIONS
_ARRAY = frozenset({"type", "items", "minItems", "maxItems"}) | ANNOTATIONS
_DEPTH = 8
_FIRSTS = 3
"""How many members may be the first of an object; what begins otherwise is judged elsewhere."""
_SCALAR = rb'"(?:[^"\\]++|\\.)*+"|[^\s,}"]++'
_INTEGERS = re.compile(rb"(?:(?:-?[1-9][0-9]{0,17}|0)(?:\n|\Z))*+")


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonExpressions:
    """The compiled expressions for one order of keys.

    Attributes:
        run: Matches as many good records as follow each other.
        cut: Finds in a run the values of `fields`, one match per record; None when there are none.
        fields: The fields that are parts of keys, or that quality rules look at.
        lines: What `run` says, of one line; None when it cannot be said so.
    """

    run: re.Pattern[bytes]
    cut: re.Pattern[bytes] | None
    fields: tuple[str, ...]
    lines: LineExpressions | None


def json_expressions(plan: Plan, order: Sequence[str]) -> JsonExpressions | None:
    """The expressions for records of this order of keys; None when there is no fast path."""
    wanted = {name for key in plan.keys for name in key.fields} | Quality(plan).fields
    builder = _Builder(plan.record)
    fields = tuple(name for name in _complete(plan.record, order) if name in wanted)
    try:
        record = builder.record(order)
        if fields and builder.nested:
            raise BeyondSubsetError  # a field within a field might have the same name
        run = re.compile(b"(?:" + record + rb"\r?\n)*+")
    except (BeyondSubsetError, re.error, OverflowError, RecursionError):
        return None
    cut = _cutter(fields) if fields else None
    return JsonExpressions(run=run, cut=cut, fields=fields, lines=_lines(plan, order))


def _lines(plan: Plan, order: Sequence[str]) -> LineExpressions | None:
    shapes, lengths = (_Builder(plan.record, half) for half in ("shapes", "lengths"))
    try:
        return line_expressions(shapes.record(order), lengths.record(order), plan.record)
    except BeyondSubsetError:
        return None


def _cutter(fields: Sequence[str]) -> re.Pattern[bytes]:
    """Finds the values of fields in a run of flat records.

    A quote within a text is escaped, so that `"name":` can be nothing but the field.
    """
    parts = []
    for name in fields:
        key = _TEXT.literal(name)
        assert key is not None
        parts.append(rb'(?:[^\n]*?"' + key + b'": ?(' + _SCALAR + b"))?+")
    return re.compile(b"".join(parts) + rb"[^\n]*+\n")


def _complete(schema: Mapping[str, Any], order: Sequence[str]) -> list[str]:
    """The known fields in this order, then those that it leaves out."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    known = [name for name in order if name in properties]
    return known + [name for name in properties if name not in known]


class _Builder:
    """Builds the expression for one record.

    Attributes:
        nested: Whether a record may hold objects or arrays.
    """

    def __init__(
        self, root: Mapping[str, Any], half: Literal["shapes", "lengths"] | None = None
    ) -> None:
        self._root, self._half = root, half
        self._text = dataclasses.replace(_TEXT, half=half)
        self.nested = False

    def record(self, order: Sequence[str]) -> bytes:
        """An expression for a record with its keys in this order."""
        return self._object(self._root, order, depth=0)

    def _object(self, schema: Mapping[str, Any], order: Sequence[str], depth: int) -> bytes:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        closed = schema.get("additionalProperties", True) in (True, False)
        if depth > _DEPTH or schema.keys() - _OBJECT or not closed or required - properties.keys():
            raise BeyondSubsetError
        if not properties:
            raise BeyondSubsetError
        if self._half:
            return self._line(schema, order, depth)
        members = []
        # A comma goes before every member but the first, whichever that is.
        comma = rb"(?:(?<=\{)|, ?)"
        for name in _complete(schema, order):
            key = _TEXT.literal(name)
            if key is None:
                raise BeyondSubsetError
            value = self._value(properties[name], depth)
            member = b"(?>" + comma + b'"' + key + b'": ?' + value + rb"(?=[,}]))"
            members.append(member if name in required else b"(?:" + member + b")?+")
            if name in required:
                comma = b", ?"
        return rb"\{" + b"".join(members) + rb"\}"

    def _line(self, schema: Mapping[str, Any], order: Sequence[str], depth: int) -> bytes:
        """The same without looking behind: one branch for each member that may stand first."""
        required = set(schema.get("required") or ())
        names = _complete(schema, order)
        members = []
        for name in names:
            key = _TEXT.literal(name)
            if key is None:
                raise BeyondSubsetError
            value = self._value(schema["properties"][name], depth)
            members.append(b'"' + key + b'": ?' + value)
        branches, rest = [], b""
        for name, member in zip(reversed(names), reversed(members), strict=True):
            branches.append(member + rest)
            again = b"" if name in required else b"?"
            rest = b"(?:, ?" + member + b")" + again + rest
        firsts = next((i for i, name in enumerate(names) if name in required), len(names))
        kept = branches[::-1][: min(firsts + 1, _FIRSTS)]
        return rb"\{(?:" + b"|".join(kept) + rb")\}"

    def _value(self, schema: Any, depth: int) -> bytes:
        if not isinstance(schema, Mapping):
            raise BeyondSubsetError
        types = json_types(schema, self._root)
        forms = [self._typed(name, schema, types, depth) for name in sorted(types - {"null"})]
        if "number" in types and "integer" in types:
            forms.remove(self._typed("integer", schema, types, depth))
        if admits_null(schema, self._root):
            forms.append(b"null")
        if not forms or not types:
            raise BeyondSubsetError
        return b"(?:" + b"|".join(forms) + b")"

    def _typed(
        self, name: str, schema: Mapping[str, Any], types: frozenset[str], depth: int
    ) -> bytes:
        if len(types - {"null", "integer"} - ({"number"} if name == "integer" else {name})) > 0:
            raise BeyondSubsetError  # keywords of several types at once
        match name:
            case "string":
                return self._string(schema)
            case "number" | "integer":
                return number_bytes(schema, types)
            case "boolean" if schema.keys() - ANNOTATIONS == {"type"}:
                return b"(?:true|false)"
            case "object":
                self.nested = True
                order = list(schema.get("properties") or {})
                return self._object(schema, order, depth + 1)
            case "array":
                return self._array(schema, depth)
            case _:
                raise BeyondSubsetError

    def _string(self, schema: Mapping[str, Any]) -> bytes:
        text = b'"' + string_bytes(schema, self._text, b'"') + b'"'
        used = schema.keys() - ANNOTATIONS
        if not schema.get("minLength") and used <= {"type", "minLength", "maxLength"}:
            return b'(?:""|' + text + b")"
        return text

    def _array(self, schema: Mapping[str, Any], depth: int) -> bytes:
        self.nested = True
        if schema.keys() - _ARRAY or depth > _DEPTH:
            raise BeyondSubsetError
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if least > 1000 or (most or 0) > 1000 or "items" not in schema or most == 0:
            raise BeyondSubsetError
        item = self._value(schema["items"], depth + 1)
        if not self._half:
            item += rb"(?=[,\]])"
        last = b"" if most is None else b"%d" % (most - 1)
        items = item + b"(?:, ?" + item + b"){%d,%b}+" % (max(least - 1, 0), last)
        return rb"\[(?:" + items + (rb")\]" if least else rb")?\]")


class RunValues:
    """The values of some fields that a run of records holds."""

    def __init__(self, expressions: JsonExpressions) -> None:
        assert expressions.cut
        self._cut, self._fields = expressions.cut, expressions.fields

    def columns(self, data: bytes, start: int, stop: int) -> dict[str, Sequence[bytes]]:
        """For each field its values as they are written, one per record; empty where absent."""
        if len(self._fields) == 1 and (firsts := self._firsts(data, start, stop)):
            return {self._fields[0]: firsts}
        rows = self._cut.findall(data, start, stop)
        columns = zip(*rows, strict=True) if len(self._fields) > 1 else [rows]
        return dict(zip(self._fields, columns, strict=True))

    def _firsts(self, data: bytes, start: int, stop: int) -> list[bytes] | None:
        """The values when each record begins with the field, in the same way, and goes on after it.

        A key mostly stands there. The lines are good records: what begins with the name of the
        field and holds two quotes more has the whole of a text, unless a backslash says otherwise.
        """
        heads = [line.split(b",", 1)[0] for line in data[start : stop - 1].split(b"\n")]
        together, count = b"\n".join(heads), len(heads)
        name = json_key(self._fields[0])
        name += b" " * heads[0].startswith(name + b" ")
        if b"\\" in together or b"}" in together or name + b" " in together:
            return None
        if together.count(name) != count or together.count(b'"') not in (2 * count, 4 * count):
            return None
        return [head[len(name) :] for head in heads]

    @staticmethod
    def parsed(values: Sequence[bytes]) -> list[Any]:
        """The JSON values; None where there is none."""
        told = {value: parse_json(value.decode()) if value else None for value in set(values)}
        return [told[value] for value in values]

    @staticmethod
    def parts(values: Sequence[bytes]) -> Sequence[bytes | None]:
        """Values in the form of `mesh.validation.keys`."""
        together = b"\n".join(values)
        if b"" not in values and _INTEGERS.fullmatch(together):
            return values
        if b"\\" not in together and together.count(b'"') == 2 * len(values):
            return [b"s" + value[1:-1] for value in values]
        return [_part(value) for value in values]


def json_key(name: str) -> bytes:
    """The beginning of a record whose first key this is."""
    return b'{"' + name.encode() + b'":'


def _part(value: bytes) -> bytes | None:
    parsed = parse_json(value.decode()) if value else None
    return None if parsed is None else canonical(parsed)
