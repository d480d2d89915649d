"""A contract compiled for one kind of record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mesh.model.contract import DataContract, Field, SchemaObject
from mesh.model.contract_profile import Acceptance, Dialect
from mesh.model.contract_quality import QualityRule
from mesh.model.file_set import SetRule
from mesh.model.freshness import Freshness
from mesh.model.relationships import RULE, Relationship
from mesh.model.unchecked import Unchecked
from mesh.model.value_paths import Steps, UniquePath
from mesh.validation.types import admits_null, json_types

if TYPE_CHECKING:
    from mesh.validation.references import Reference

Reading = Literal["text", "number", "boolean", "json"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One top-level field, as it is read from a delimited file.

    Attributes:
        name: Of the field and of its column.
        reading: How a cell becomes a JSON value: as text, as a number of JSON's grammar, as one
            of the dialect's booleans, or as JSON text.
        nullable: Whether an empty cell is null; otherwise the field is then absent.
        schema: JSON Schema of its values.
    """

    name: str
    reading: Reading
    nullable: bool
    required: bool
    schema: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """Fields whose values, taken together, are compared with those of other records.

    No two records of a file may share those of a `unique` field or `primaryKey`; those of a
    `relationship` must be a record's that the plan's reference knows.
    """

    rule: Literal["unique", "primaryKey", "relationship"]
    fields: tuple[str, ...]
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that is needed to judge files of one object; can be sent to another process.

    Attributes:
        record: JSON Schema of one record.
        columns: In the order of the contract.
        closed: Whether a field that the contract does not name is refused.
        keys: Constraints that span records, on fields at the top of them.
        unique_paths: What is within such fields, and may not repeat in a file.
        fields: The contract's fields by name.
        nested: Pointers to what is within them, by the way to it.
        relationships: Foreign keys; each that can be checked and is of fields at the top of a
            record has a key, by its path.
        freshness: How new its data is promised to be.
        unchecked: What the contract says and no file is checked by.
        references: What the next file's relationships are checked against, by their paths; those
            of which nothing stands here are not checked.
        compiled: What readers derive from the plan and keep for the next file.
    """

    object_name: str
    contract_id: str
    contract_version: str
    record: Mapping[str, Any]
    columns: tuple[Column, ...]
    closed: bool
    keys: tuple[Key, ...]
    fields: Mapping[str, Field]
    quality: tuple[QualityRule, ...]
    dialect: Dialect
    acceptance: Acceptance
    is_odcs: bool
    file_set: SetRule | None = None
    partition_keys: tuple[str, ...] = ()
    unique_paths: tuple[UniquePath, ...] = ()
    nested: Mapping[Steps, str] = field(default_factory=dict)
    relationships: tuple[Relationship, ...] = ()
    freshness: tuple[Freshness, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    references: Mapping[str, Reference] = field(default_factory=dict, compare=False, repr=False)
    compiled: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def looks_within(self) -> bool:
        """Whether what is within objects, lists and maps may not repeat, or must point."""
        checked = (one.is_nested and one.pointer in self.references for one in self.relationships)
        return bool(self.unique_paths) or any(checked)

    @property
    def sensitive(self) -> frozenset[str]:
        """Names of the fields whose values are masked."""
        return frozenset(name for name, item in self.fields.items() if item.sensitive)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {"compiled", "references"}
        values = {name: getattr(self, name) for name in self.__slots__ if name not in kept}
        return _restore, (values,)


def _restore(values: Mapping[str, Any]) -> Plan:
    return Plan(**values)


def compile_object(contract: DataContract, object_name: str) -> Plan:
    """The plan for one object of a contract.

    Raises:
        KeyError: The contract has no such object.
    """
    item = contract.objects[object_name]
    required = set(item.record.get("required") or ())
    properties: Mapping[str, Any] = item.record.get("properties") or {}
    columns = tuple(
        Column(
            name=name,
            reading=reading_of(schema, item.record),
            nullable=admits_null(schema, item.record),
            required=name in required,
            schema=schema,
        )
        for name, schema in properties.items()
    )
    return Plan(
        object_name=object_name,
        contract_id=contract.id,
        contract_version=contract.version,
        record=item.record,
        columns=columns,
        closed=item.record.get("additionalProperties") is False
        and not item.record.get("patternProperties"),
        keys=tuple(_keys(item)),
        fields={entry.name: entry for entry in item.fields},
        quality=item.quality,
        dialect=item.dialect,
        acceptance=item.acceptance,
        file_set=item.file_set,
        partition_keys=item.partition_keys,
        unique_paths=item.unique_paths,
        nested=item.nested,
        is_odcs=contract.api_version is not None,
        relationships=item.relationships,
        freshness=item.freshness,
        unchecked=item.unchecked,
    )


def reading_of(schema: Any, root: Mapping[str, Any]) -> Reading:
    """Text where text may stand; what is not of the field's grammar stays text and is refused."""
    types = json_types(schema, root)
    if not types or "string" in types:
        return "text"
    if types & {"number", "integer"}:
        return "number"
    if "boolean" in types:
        return "boolean"
    return "json" if types & {"object", "array"} else "text"


def _keys(item: SchemaObject) -> list[Key]:
    pointers = {entry.name: entry.pointer for entry in item.fields}
    keys = [
        Key(rule="unique", fields=(entry.name,), path=f"{entry.pointer}/unique")
        for entry in item.fields
        if entry.unique and item.primary_key != (entry.name,)
    ]
    if item.primary_key:
        path = f"{pointers[item.primary_key[0]]}/primaryKey"
        keys.insert(0, Key(rule="primaryKey", fields=item.primary_key, path=path))
    keys += [
        Key(rule=RULE, fields=one.fields, path=one.pointer)
        for one in item.relationships
        if not one.obstacle and not one.is_nested
    ]
    return keys
