"""Data that a check without a mesh is given, for the relationships of the file to point at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any

from mesh.errors import Rejected
from mesh.model.contract import DataContract
from mesh.model.contract_profile import Dialect
from mesh.model.relationship_targets import Target, find_target
from mesh.model.relationships import Relationship
from mesh.model.value_paths import schema_at
from mesh.validation import FileFormat, FileProblem, Plan, Reference, compile_object, good_rows
from mesh.validation.plan import Column, reading_of

Opened = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownData:
    """One file of data.

    Attributes:
        product: `DOMAIN/PRODUCT` whose data it is.
        object_name: id or name of the object that it holds; None for whichever is asked for.
        file: its name, which tells its format.
        opened: gives its bytes, as often as it is asked.
    """

    product: str
    object_name: str | None
    file: str
    opened: Opened


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownReferences:
    """What a file is checked against, and what the receipt says of it."""

    found: Mapping[str, Reference] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    relationships: Sequence[Relationship] = ()

    def told(self) -> list[dict[str, Any]]:
        """As it stands in a receipt, once the file is judged."""
        return [
            {
                "path": one.pointer,
                "fields": list(one.fields),
                "product": one.product or "",
                "object": one.object_name,
                "properties": list(one.properties),
                "file": self.files[one.pointer],
                "unknown": self.found[one.pointer].unknown,
            }
            for one in self.relationships
        ]


def known_references(
    contract: DataContract,
    plan: Plan,
    known: Sequence[KnownData],
    contracts: Mapping[str, DataContract],
    itself: KnownData | None,
) -> KnownReferences:
    """What the relationships of a plan are checked against; those that nothing is given for, not.

    Args:
        contracts: those that references lead to, by the file that they name.
        itself: the file that is checked, for relationships within it; None if it is read once only.

    Raises:
        Rejected: given data cannot be read, has no such fields, or is pointed at by nothing.
    """
    found: dict[str, Reference] = {}
    files: dict[str, str] = {}
    used: list[Relationship] = []
    idle = list(known)
    for one in _checkable(contract, plan):
        owner = contracts.get(one.file) if one.file else contract
        target = None
        if owner is not None:
            target = find_target(owner.document, one.object_name, one.properties)
        is_own = not one.file and target is not None and target.object_name == plan.object_name
        data = itself if is_own else _given(one, known)
        if data in idle:
            idle.remove(data)
        if data is not None:
            reading = _plan(plan, one, owner, target)
            found[one.pointer] = _filled(plan, one, data, reading, target)
            files[one.pointer] = data.file
            used.append(one)
    if idle:
        meant = "/".join(filter(None, (idle[0].product, idle[0].object_name)))
        message = f"No relationship of {plan.object_name} points at {meant}."
        raise Rejected(message, problem="unusable-data")
    return KnownReferences(found=found, files=files, relationships=used)


def _checkable(contract: DataContract, plan: Plan) -> Iterator[Relationship]:
    """The relationships, each with the product it points at."""
    own = f"{contract.domain or ''}/{contract.data_product or ''}"
    for one in plan.relationships:
        if not one.obstacle:
            yield replace(one, product=one.product or own)


def _given(one: Relationship, known: Sequence[KnownData]) -> KnownData | None:
    fitting = [data for data in known if data.product == one.product]
    named = [data for data in fitting if data.object_name == one.object_name]
    return next(iter(named or [data for data in fitting if data.object_name is None]), None)


def _plan(plan: Plan, one: Relationship, owner: DataContract | None, target: Target | None) -> Plan:
    """How to read the data: by its own contract, or else as the fields that point at it."""
    if owner is not None and target is not None:
        return compile_object(owner, target.object_name)
    columns = []
    for name, steps in zip(one.properties, one.steps, strict=True):
        schema = _kind(schema_at(plan.record, steps))
        reading = reading_of(schema, plan.record)
        columns.append(
            Column(name=name, reading=reading, nullable=True, required=False, schema=schema)
        )
    record = {
        "type": "object",
        "properties": {column.name: column.schema for column in columns},
    }
    return Plan(
        object_name=one.object_name,
        contract_id="",
        contract_version="",
        record=record,
        columns=tuple(columns),
        closed=False,
        keys=(),
        fields={},
        quality=(),
        dialect=Dialect(trailing_columns="ignore"),
        acceptance=plan.acceptance,
        is_odcs=False,
    )


def _kind(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a schema says of the kind of its values, without their bounds."""
    kept = ("type", "format", "dateTimeFormat", "multipleOf")
    return {name: schema[name] for name in kept if schema and name in schema}


def _filled(
    plan: Plan, one: Relationship, data: KnownData, reading: Plan, target: Target | None
) -> Reference:
    columns = target.columns if target else one.properties
    ways = target.steps if target else [(name,) for name in one.properties]
    owner = f"{data.product} " if data.product.strip("/") else ""  # a contract may name none
    label = f"{owner}{one.object_name} ({', '.join(columns)}), in {data.file}"
    reference = Reference(plan, one, label=label, columns=ways)
    with _rows(data, reading) as rows:
        reference.fill_from(rows)
    if reference.is_empty:
        raise _unusable(data, f"no good record of it has a value of {', '.join(columns)}")
    return reference


def _rows(data: KnownData, plan: Plan) -> IO[bytes]:
    layout = FileFormat.from_name(data.file)
    if isinstance(layout, FileProblem):
        raise _unusable(data, layout.message)
    rows = good_rows(plan, data.opened(), file_format=layout)
    if isinstance(rows, FileProblem):
        raise _unusable(data, rows.message)
    return rows


def _unusable(data: KnownData, why: str) -> Rejected:
    message = f"{data.file} cannot be what {data.product} has published: {why.rstrip('.')}."
    return Rejected(message, problem="unusable-data")
