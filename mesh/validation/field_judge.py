"""Judges a flat record field by field, and asks the reference only about what may be wrong.

Where no rule spans fields, what the reference says of a record is what it says of each field. An
expression accepts most values for certain, unless the reader has seen to that; what the reference
has said of other values is remembered. So its words are the reference's own, in its own order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from mesh.validation.faults import Fault
from mesh.validation.pattern_bytes import BeyondSubsetError
from mesh.validation.plan import Plan
from mesh.validation.types import json_types
from mesh.validation.value_bytes import number_bytes, string_bytes
from mesh.validation.writing import Writing

_TEXT = Writing(plain=frozenset(range(128)))
_REMEMBERED = 10_000
_SHORT = 80
_BITS = 64
_SCALARS = frozenset({str, int, Decimal, bool, type(None)})
_NUMBERS = frozenset({"number", "integer"})
_PLACES = frozenset({"$id", "id"})
Told = Callable[[Any, Any], Fault]


class FieldJudge:
    """Judges records of one flat plan.

    Args:
        plan: For which `is_plain` holds.
        validator: The reference's, of whole records.
        told: Makes a fault of an error of the reference and the record.
    """

    def __init__(self, plan: Plan, validator: Any, told: Told) -> None:
        self._validator, self._told = validator, told
        self._schemas: Mapping[str, Any] = validator.schema.get("properties") or {}
        self._rules = [rule for rule in validator.schema if rule in {"properties", "required"}]
        self._required = list(validator.schema.get("required") or ())
        self._open = validator.schema.get("additionalProperties", True) is True
        self._good = _Certain(plan)
        self._validators: dict[str, Any] = {}
        self._known: dict[tuple[str, type, str], tuple[Fault, ...]] = {}
        self._missing: dict[str, Fault] | None = None

    def faults(
        self, record: Mapping[str, Any], odd: Collection[str] | None = None
    ) -> list[Fault] | None:
        """All faults of a record; None when it holds fields that the contract does not know.

        Args:
            record: All of it; or of its fields those, at least, that are odd.
            odd: The fields that may be bad or missing; None if any may.
        """
        if odd is None and not self._open and not record.keys() <= self._schemas.keys():
            return None
        found: list[Fault] = []
        for rule in self._rules:
            if rule == "required":
                found += [
                    self._absent(name)
                    for name in self._required
                    if name not in record and (odd is None or name in odd)
                ]
            elif odd is None:
                for name in self._schemas:
                    if name in record:
                        found += self._field(name, record[name])
            else:
                for name in self._schemas:
                    if name in odd and name in record:
                        found += self._said(name, record[name])
        return found

    def _field(self, name: str, value: Any) -> tuple[Fault, ...]:
        kind = type(value)
        good = self._good[name].get(kind)
        if good and (kind is not int or value.bit_length() < _BITS):
            text = value if kind is str else str(value)
            if text and good(text.encode("utf-8", "surrogatepass")):
                return ()
        return self._said(name, value)

    def _said(self, name: str, value: Any) -> tuple[Fault, ...]:
        """What the reference says of a value; it is asked once about a short one."""
        kind = type(value)
        if kind not in _SCALARS or (kind is int and value.bit_length() >= _BITS):
            return self._asked(name, value)
        text = str(value)
        if len(text) > _SHORT:
            return self._asked(name, value)
        key = (name, kind, text)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = self._asked(name, value)
        return known

    def _asked(self, name: str, value: Any) -> tuple[Fault, ...]:
        found = []
        for error in self._errors(name, value):
            error.path.appendleft(name)
            error.schema_path.extendleft((name, "properties"))
            found.append(self._told(error, {name: value}))
        return tuple(found)

    def _errors(self, name: str, value: Any) -> Iterator[Any]:
        schema = self._schemas[name]
        if _PLACES & schema.keys():  # its references start from itself
            yield from self._validator.descend(value, schema)
            return
        if name not in self._validators:
            self._validators[name] = self._validator.evolve(schema=schema)
        yield from self._validators[name].iter_errors(value)

    def _absent(self, name: str) -> Fault:
        if self._missing is None:
            errors = self._validator.iter_errors({})
            self._missing = {error.path[0]: self._told(error, {}) for error in errors}
        return self._missing[name]


class _Certain(dict[str, Mapping[type, Any]]):
    """By field and type of value, what accepts its text only if the reference accepts the value."""

    def __init__(self, plan: Plan) -> None:
        self._root = plan.record
        self._written = {column.name: column.schema for column in plan.columns}

    def __missing__(self, name: str) -> Mapping[type, Any]:
        self[name] = found = _certain(self._written[name], self._root)
        return found


def _certain(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[type, Any]:
    types = json_types(schema, root)
    found: dict[type, Any] = {}
    try:
        if "string" in types:
            found[str] = re.compile(string_bytes(schema, _TEXT, rb"\Z")).fullmatch
    except BeyondSubsetError:
        pass
    try:
        if types & _NUMBERS:
            found[int] = found[Decimal] = re.compile(number_bytes(schema, types)).fullmatch
    except BeyondSubsetError:
        pass
    return found
