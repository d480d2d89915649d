"""Finds records whose key another record of the same file has, and keys that point at nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, cast

from mesh.model.relationships import RULE
from mesh.validation.faults import Fault
from mesh.validation.nested_values import Place, values_at
from mesh.validation.plan import Key, Plan
from mesh.validation.report import MASK
from mesh.validation.seen import Seen
from mesh.validation.sentences import clipped, field_path, shown

Parts = Sequence[bytes | None]

_AT_ONCE = 1 << 16
"""Values within fields, which a record may have by the million."""


class KeyIndex:
    """Remembers the keys of a file in `Seen`: some in memory, any number on disk.

    Attributes:
        keys: Of the plan; all are of fields at the top of a record.
        nested: The values within objects, lists and maps that may stand only once.
    """

    def __init__(self, plan: Plan) -> None:
        self.keys = plan.keys
        self._sensitive = plan.sensitive
        self._seen = [Seen() for _ in plan.keys]
        self._references = [plan.references.get(key.path) for key in plan.keys]
        self.nested = UniqueValues(plan)

    @property
    def of_single_fields(self) -> bool:
        """Whether each key is one field, and is compared with others of the same file alone."""
        single = all(len(key.fields) == 1 and key.rule != RULE for key in self.keys)
        return single and not self.nested.paths

    def seen(self, number: int) -> Seen:
        """Where one key is remembered."""
        return self._seen[number]

    def parts(self, record: Mapping[str, Any]) -> list[bytes | None]:
        """The canonical form of each key of a record, when they are of single fields."""
        values = (record.get(key.fields[0]) for key in self.keys)
        return [None if value is None else canonical(value) for value in values]

    def fault_of(self, record: Any, number: int, first: int) -> Fault:
        """What to say of a record, one of whose keys of single fields the row `first` has."""
        key = self.keys[number]
        return self.fault(key, shown(record[key.fields[0]]), first)

    def faults(self, record: Mapping[str, Any], row: int, *, most: int) -> list[Fault]:
        """A fault for each key of this record that is not as it must be; remembers its keys.

        Of keys within objects, lists and maps so many are told at most.
        """
        found = []
        for number, key in enumerate(self.keys):
            parts = [
                None if record.get(name) is None else canonical(record[name]) for name in key.fields
            ]
            for first in self.repeated(number, [[part] for part in parts], row).values():
                value = ", ".join(shown(record[name]) for name in key.fields)
                found.append(self.fault(key, value, first))
        return [*found, *self.nested.faults([record], row, most=most).get(0, ())]

    def repeated(self, number: int, columns: Sequence[Parts], row: int) -> dict[int, int]:
        """Remember one key of many rows; which of them (from 0) an earlier row has, and which row.

        Of a relationship: which of them point at nothing; there is no row to tell of then.

        Args:
            number: Of the key.
            columns: The canonical parts of each field of the key, one per row.
            row: Of the first of them.
        """
        if self.keys[number].rule == RULE:
            return self._orphans(number, columns, row)
        wholes = (
            columns[0] if len(columns) == 1 else [joined(p) for p in zip(*columns, strict=True)]
        )
        seen = self._seen[number]
        if None not in wholes and seen.add_new(cast("list[bytes]", wholes), row):
            return {}
        pairs = ((i, seen.add(key, row + i)) for i, key in enumerate(wholes) if key is not None)
        return {i: first for i, first in pairs if first is not None}

    def _orphans(self, number: int, columns: Sequence[Parts], row: int) -> dict[int, int]:
        reference = self._references[number]
        found = [] if reference is None else reference.orphans(columns, row)
        return dict.fromkeys(found, 0)

    def fault(self, key: Key, value: str, first: int) -> Fault:
        """What to say of a row whose key the row `first` has, too, or that points at nothing."""
        secret = any(name in self._sensitive for name in key.fields)
        label = ", ".join(key.fields)
        what = "the value" if secret else clipped(repr(value), 80)
        if key.rule == RULE:
            reference = self._references[self.keys.index(key)]
            label_of = reference.label if reference else ""
            said = f"{label} must point at a record of {label_of}; {what} is not there."
        else:
            must = "be unique" if key.rule == "unique" else "identify one record"
            where = f"row {first}" if first > 0 else "the file that this one mends"
            said = f"{label} must {must}; {what} is already in {where}."
        return Fault(
            field=label,
            rule=key.rule,
            path=key.path,
            value=MASK if secret else value,
            message=said,
        )


class UniqueValues:
    """Remembers the values within objects, lists and maps that may stand only once in a file."""

    def __init__(self, plan: Plan) -> None:
        self.paths = plan.unique_paths
        self._seen = [Seen() for _ in self.paths]
        self._sensitive = plan.sensitive

    def faults(
        self, records: Sequence[Mapping[str, Any]], row: int, *, most: int
    ) -> dict[int, list[Fault]]:
        """Faults of the records (from 0) with a value that stood there before.

        All values are remembered; of each record so many faults are told.

        Args:
            row: Of the first of them.
        """
        found: dict[int, list[Fault]] = {}
        for path, seen in zip(self.paths, self._seen, strict=True):
            values = (
                (index, place, value, canonical(value))
                for index, record in enumerate(records)
                for place, value in values_at(record, path.steps)
                if value is not None
            )
            while some := list(islice(values, _AT_ONCE)):
                here: dict[bytes, tuple[int, Place]] = {}
                keys = list(dict.fromkeys(key for *_, key in some))
                firsts = dict(zip(keys, seen.firsts(keys), strict=True))
                for index, place, value, key in some:
                    if firsts[key] is None and key not in here:
                        here[key] = index, place
                    elif len(told := found.setdefault(index, [])) < most:
                        where = _first_place(firsts[key], here.get(key), index, row)
                        told.append(self._fault(path.pointer, place, value, where))
                seen.take(list(here), [row + index for index, _ in here.values()])
        return found

    def _fault(self, pointer: str, place: Place, value: Any, where: str) -> Fault:
        secret, label = place[0] in self._sensitive, field_path(place)
        what = "the value" if secret else clipped(repr(shown(value)), 80)
        return Fault(
            field=label,
            rule="unique",
            path=f"{pointer}/unique",
            value=MASK if secret else shown(value),
            message=f"{label} must be unique in the file; {what} is already in {where}.",
        )


def _first_place(first: int | None, here: tuple[int, Place] | None, index: int, row: int) -> str:
    """Where a value stood first: a row of before, or a record that is looked at now."""
    if first is None:
        assert here
        if here[0] == index:
            return f"{field_path(here[1])} of the same row"
        first = row + here[0]
    if first == row + index:
        return "the same row"
    return f"row {first}" if first > 0 else "the file that this one mends"


def joined(parts: Parts) -> bytes | None:
    """Several parts as one, so that different parts never make the same."""
    if len(parts) == 1:
        return parts[0]
    if None in parts:
        return None
    return b"\0".join(part.replace(b"\0", b"\0\1") for part in parts if part is not None)


def canonical(value: Any) -> bytes:
    """Bytes that are equal exactly for equal JSON values."""
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int | Decimal):
        return _number(Decimal(value))
    if isinstance(value, Mapping):
        pairs = [canonical(name) + b":" + canonical(value[name]) for name in sorted(value)]
        return b"{" + b",".join(b"%d %b" % (len(pair), pair) for pair in pairs) + b"}"
    if value is None:
        return b"null"
    items = [canonical(item) for item in value]
    return b"[" + b",".join(b"%d %b" % (len(item), item) for item in items) + b"]"


def _number(value: Decimal) -> bytes:
    """Small integers as they are written; else digits without trailing zeros, and an exponent."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    bare = text.rstrip("0")
    if not bare:
        return b"0"
    exponent += len(text) - len(bare)
    mark = "-" if sign else ""
    if 0 <= exponent < 18 and len(bare) + exponent <= 18:
        return f"{mark}{bare}{'0' * exponent}".encode()
    return f"{mark}{bare}e{exponent}".encode()
