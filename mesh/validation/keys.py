"""Finds records whose key another record of the same file has, and keys that point at nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from mesh.model.relationships import RULE
from mesh.validation.faults import Fault
from mesh.validation.key_bytes import Parts, canonical, joined
from mesh.validation.nested_keys import NestedKeys
from mesh.validation.plan import Key, Plan
from mesh.validation.report import MASK
from mesh.validation.seen import Seen
from mesh.validation.sentences import clipped, shown


class KeyIndex:
    """Remembers the keys of a file in `Seen`: some in memory, any number on disk.

    Attributes:
        keys: Of the plan; all are of fields at the top of a record.
        nested: The same within objects, lists and maps.
    """

    def __init__(self, plan: Plan) -> None:
        self.keys = plan.keys
        self._sensitive = plan.sensitive
        self._looks_within = plan.looks_within
        self._seen = [Seen() for _ in plan.keys]
        self._references = [plan.references.get(key.path) for key in plan.keys]
        self.nested = NestedKeys(plan)

    @property
    def of_single_fields(self) -> bool:
        """Whether each key is one field, and is compared with others of the same file alone."""
        single = all(len(key.fields) == 1 and key.rule != RULE for key in self.keys)
        return single and not self._looks_within

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
        found = (
            []
            if reference is None
            else reference.orphans(columns, range(row, row + len(columns[0])))
        )
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
