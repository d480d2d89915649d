"""Expressions over bytes for JSON records that a schema accepts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.types import admits_null, json_types
from mesh.validation.value_bytes import ANNOTATIONS, number_bytes, string_bytes
from mesh.validation.writing import Writing

TEXT = Writing(
    plain=frozenset(range(0x20, 0x80)) - {0x22, 0x5C},
    escaped=(rb'\\["\\/bfnrt]',),
)
_OBJECT = frozenset({"type", "properties", "required", "additionalProperties"}) | ANNOTATIONS
_ARRAY = frozenset({"type", "items", "minItems", "maxItems"}) | ANNOTATIONS
_DEPTH = 8
_FIRSTS = 3
"""How many members may be the first of an object; what begins otherwise is judged elsewhere."""


def complete(schema: Mapping[str, Any], order: Sequence[str]) -> list[str]:
    """The known fields in this order, then those that it leaves out."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    known = [name for name in order if name in properties]
    return known + [name for name in properties if name not in known]


class RecordBytes:
    """Builds the expression for one record.

    Attributes:
        nested: Whether a record may hold objects or arrays.
    """

    def __init__(
        self, root: Mapping[str, Any], half: Literal["shapes", "lengths"] | None = None
    ) -> None:
        self._root, self._half = root, half
        self._text = dataclasses.replace(TEXT, half=half)
        self.nested = False

    def record(self, order: Sequence[str]) -> bytes:
        """An expression for a record with its keys in this order."""
        return self._object(self._root, order, depth=0)

    def odd_record(self, order: Sequence[str], value: Callable[[str, bytes], bytes]) -> bytes:
        """The same for one whose values may be others.

        Args:
            value: Makes of a field's name, and of the expression for the good values that it has,
                the expression for all of its values.
        """
        return self._object(self._root, order, depth=0, other=value)

    def _object(
        self,
        schema: Mapping[str, Any],
        order: Sequence[str],
        depth: int,
        other: Callable[[str, bytes], bytes] | None = None,
    ) -> bytes:
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
        for name in complete(schema, order):
            key = TEXT.literal(name)
            if key is None:
                raise BeyondSubsetError
            value = self._value(properties[name], depth)
            value = other(name, value) if other else value
            member = b"(?>" + comma + b'"' + key + b'": ?' + value + rb"(?=[,}]))"
            members.append(member if name in required else b"(?:" + member + b")?+")
            if name in required:
                comma = b", ?"
        return rb"\{" + b"".join(members) + rb"\}"

    def _line(self, schema: Mapping[str, Any], order: Sequence[str], depth: int) -> bytes:
        """The same without looking behind: one branch for each member that may stand first."""
        required = set(schema.get("required") or ())
        names = complete(schema, order)
        members = []
        for name in names:
            key = TEXT.literal(name)
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
