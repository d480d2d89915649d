"""Keys within objects, lists and maps of a record: what may stand once, and what must point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from mesh.model.relationships import RULE, Relationship
from mesh.validation.faults import Fault
from mesh.validation.key_bytes import canonical
from mesh.validation.nested_values import Place, values_at
from mesh.validation.plan import Plan
from mesh.validation.references import Reference
from mesh.validation.report import MASK
from mesh.validation.seen import Seen
from mesh.validation.sentences import clipped, field_path, shown

_AT_ONCE = 1 << 16
"""Values within fields, which a record may have by the million."""


class NestedKeys:
    """What is within the fields of records: values that may stand once, and values that point."""

    def __init__(self, plan: Plan) -> None:
        self._unique = UniqueValues(plan)
        self._pointing = [
            PointingValues(plan, one, plan.references[one.pointer])
            for one in plan.relationships
            if one.is_nested and one.pointer in plan.references
        ]

    def faults(
        self, records: Sequence[Mapping[str, Any]], row: int, *, most: int
    ) -> dict[int, list[Fault]]:
        """What is wrong with the records (from 0), so many faults at most of each and each rule.

        Args:
            row: Of the first of them.
        """
        found = self._unique.faults(records, row, most=most)
        for pointing in self._pointing:
            pointing.add_faults(found, records, row, most=most)
        return found


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


class PointingValues:
    """The values of one relationship that starts within fields: of lists and maps, each entry.

    Where it has several fields, none of them is within a list: a record has one value of each.
    """

    def __init__(self, plan: Plan, relationship: Relationship, reference: Reference) -> None:
        self._relationship, self._reference = relationship, reference
        self._secret = any(steps[0] in plan.sensitive for steps in relationship.steps)

    def add_faults(
        self,
        found: dict[int, list[Fault]],
        records: Sequence[Mapping[str, Any]],
        row: int,
        *,
        most: int,
    ) -> None:
        """Add a fault for each value that points at nothing, so many for a record at most."""
        values = self._values(records)
        told: Counter[int] = Counter()
        while some := list(islice(values, _AT_ONCE)):
            columns = [[_part(parts[at]) for *_, parts in some] for at in range(self._width)]
            rows = [row + index for index, *_ in some]
            for at in self._reference.orphans(columns, rows):
                index, label, lost = some[at]
                told[index] += 1
                if told[index] <= most:
                    found.setdefault(index, []).append(self._fault(label, lost))

    @property
    def _width(self) -> int:
        return len(self._relationship.steps)

    def _values(
        self, records: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[int, str, Sequence[Any]]]:
        """Number of the record, place, and the value of each field."""
        ways = self._relationship.steps
        label = ", ".join(self._relationship.fields)
        for index, record in enumerate(records):
            if len(ways) == 1:
                for place, value in values_at(record, ways[0]):
                    yield index, field_path(place), (value,)
            else:
                found = [value for way in ways for _, value in values_at(record, way)]
                yield index, label, found

    def _fault(self, label: str, values: Sequence[Any]) -> Fault:
        value = ", ".join(map(shown, values))
        what = "the value" if self._secret else clipped(repr(value), 80)
        return Fault(
            field=label,
            rule=RULE,
            path=self._relationship.pointer,
            value=MASK if self._secret else value,
            message=f"{label} must point at a record of {self._reference.label}; {what} is not "
            f"there.",
        )


def _part(value: Any) -> bytes | None:
    return None if value is None else canonical(value)


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
