"""A data contract: what a producer promises about the records of a data product."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.model.classification import classified
from mesh.model.contract_profile import (
    ACCEPTANCE,
    ALL_OR_NOTHING,
    DIALECT,
    RFC_4180,
    Acceptance,
    Dialect,
    custom_value,
)
from mesh.model.contract_quality import QualityRule, quality_rules
from mesh.model.contract_schema import column_name, is_required, object_schema
from mesh.model.file_set import FILE_SET, SetRule
from mesh.model.freshness import Freshness, freshness
from mesh.model.partitioning import partition_keys
from mesh.model.pointers import pointer
from mesh.model.relationships import Relationship, relationships
from mesh.model.server_dialect import server_dialect
from mesh.model.unchecked import Unchecked, unchecked, unchecked_keywords
from mesh.model.value_paths import Steps, UniquePath, nested_pointers, unique_paths

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a record, at the top level.

    Attributes:
        name: Its name in files.
        logical_type: The ODCS logical type, None when the contract gives none.
        pointer: JSON Pointer of its element in the contract.
        required: Whether it must be there and not null.
        unique: Whether no two records of a file may hold the same value.
        classification: As the contract says it.
        sensitive: Whether its values are masked wherever they are shown to people.
    """

    name: str
    pointer: str
    logical_type: str | None = None
    required: bool = False
    unique: bool = False
    classification: str | None = None
    sensitive: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaObject:
    """One kind of record that a contract describes: a table, a topic, the rows of a file.

    Attributes:
        name: Its name in the contract and in paths.
        pointer: JSON Pointer of its element in the contract.
        fields: In the order of the contract.
        primary_key: Names of the fields that identify a record, in key order.
        record: JSON Schema of one record.
        quality: The rules on the whole object and on its fields.
        relationships: The foreign keys of the object and of its fields.
        unique_paths: What is `unique` within fields.
        nested: Where in the contract stands what is within fields, by the way to it.
        freshness: How new its data is promised to be.
        unchecked: What the contract says of it and no file is checked by.
        dialect: How its delimited files are written.
        acceptance: What to do with a file that holds bad rows.
        file_set: Which files are announced together; None where each stands for itself.
        partition_keys: Names of the fields that published data is parted by.
    """

    name: str
    pointer: str
    fields: tuple[Field, ...]
    record: Mapping[str, Any]
    primary_key: tuple[str, ...] = ()
    quality: tuple[QualityRule, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    unique_paths: tuple[UniquePath, ...] = ()
    nested: Mapping[Steps, str] = field(default_factory=dict)
    freshness: tuple[Freshness, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    dialect: Dialect = RFC_4180
    acceptance: Acceptance = ALL_OR_NOTHING
    file_set: SetRule | None = None
    partition_keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DataContract:
    """A checked contract; make one with `from_document` or `from_json_schema`.

    Attributes:
        id: The contract's identifier, as its author gave it.
        version: Of the contract, not of the standard.
        name: Human name, may be empty.
        status: Free text; the standard proposes draft, active, deprecated, …
        objects: By name, in the order of the contract.
        dialect: Of the contract as a whole; an object may differ.
        acceptance: Of the contract as a whole; an object may differ.
        api_version: Of the standard (`v3.1.0`), None for a wrapped JSON Schema.
        document: What it was made from.
    """

    id: str
    version: str
    objects: Mapping[str, SchemaObject]
    name: str = ""
    domain: str | None = None
    data_product: str | None = None
    status: str = ""
    dialect: Dialect = RFC_4180
    acceptance: Acceptance = ALL_OR_NOTHING
    api_version: str | None = None
    document: Mapping[str, Any]

    @property
    def major(self) -> int:
        """Major version: a breaking change needs a new one."""
        return major_version(self.version) or 0

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DataContract:
        """The contract in a document in which `check_contract` found nothing.

        A plain JSON Schema is wrapped; its object is named by its title, or `record`.
        """
        if "apiVersion" not in document:
            title = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(document.get("title") or "")).strip("-._")
            return cls.from_json_schema(document, name=title or "record")
        elements: Sequence[Mapping[str, Any]] = document["schema"]
        objects = (
            _schema_object(element, pointer=f"/schema/{index}", contract=document)
            for index, element in enumerate(elements)
        )
        return cls(
            id=document["id"],
            version=document["version"],
            name=document.get("name") or "",
            domain=document.get("domain"),
            data_product=document.get("dataProduct"),
            status=document.get("status") or "",
            objects={item.name: item for item in objects},
            dialect=_dialect([document]),
            acceptance=_acceptance([document]),
            api_version=document["apiVersion"],
            document=document,
        )

    @classmethod
    def from_json_schema(
        cls, schema: Mapping[str, Any], *, name: str, version: str = "1.0.0"
    ) -> DataContract:
        """Wrap the JSON Schema (draft 7, 2019-09 or 2020-12) of one record.

        Args:
            schema: A schema in which `check_contract` found nothing.
            name: Of the object, and of the contract when the schema has no `$id`.
            version: Of the contract; JSON Schema has no place for it.
        """
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = schema.get("required") or ()
        fields = tuple(
            Field(
                name=field,
                pointer=pointer("/properties", field),
                logical_type=_json_type(element),
                required=field in required,
                **classified(element if isinstance(element, Mapping) else {}),
            )
            for field, element in properties.items()
        )
        item = SchemaObject(
            name=name,
            pointer="",
            fields=fields,
            record=schema,
            unchecked=tuple(unchecked_keywords(schema)),
        )
        return cls(
            id=str(schema.get("$id") or name),
            version=version,
            name=str(schema.get("title") or name),
            status="active",
            objects={name: item},
            document=schema,
        )


def record_schema(contract: DataContract, object_name: str) -> dict[str, Any]:
    """The JSON Schema of one record of an object, as it is published beside the contract.

    JSON Schema 2020-12, except that a wrapped JSON Schema is given back as it came. The same
    contract gives the same schema, to the order of its keys.
    """
    item = contract.objects[object_name]
    if contract.api_version is None:
        return copy.deepcopy(dict(item.record))
    identifier = f"urn:datacontract:{_urn(contract.id)}:{_urn(contract.version)}:{_urn(item.name)}"
    head = {"$schema": SCHEMA_DIALECT, "$id": identifier, "title": item.name}
    return head | copy.deepcopy(dict(item.record))


def major_version(version: str) -> int | None:
    """The major number of a version (`1.2.0`, `v1`), None when there is none."""
    found = re.match(r"v?(\d{1,9})(?![^.\-+])", version)
    return int(found[1]) if found else None


def _schema_object(
    element: Mapping[str, Any], *, pointer: str, contract: Mapping[str, Any]
) -> SchemaObject:
    properties: Sequence[Mapping[str, Any]] = element.get("properties") or ()
    keys = [item for item in properties if item.get("primaryKey")]
    keys.sort(key=lambda item: _position(item.get("primaryKeyPosition")))
    fields = tuple(
        _field(item, f"{pointer}/properties/{index}", alone=len(keys) == 1)
        for index, item in enumerate(properties)
    )
    rules = tuple(quality_rules(element, pointer))
    promised = tuple(freshness(contract, element["name"]))
    return SchemaObject(
        name=element["name"],
        pointer=pointer,
        fields=fields,
        primary_key=tuple(column_name(item) for item in keys),
        record=object_schema(element),
        quality=rules,
        relationships=tuple(relationships(element, pointer, contract)),
        unique_paths=unique_paths(element, pointer),
        nested=nested_pointers(element, pointer),
        freshness=promised,
        unchecked=tuple(unchecked(element, pointer, rules, promised)),
        dialect=_dialect([contract, element]),
        acceptance=_acceptance([contract, element]),
        file_set=_file_set([contract, element]),
        partition_keys=partition_keys(element),
    )


def _position(value: object) -> int:
    """Key fields without a position (-1 in the standard) come last, as they stand."""
    return value if isinstance(value, int) and value >= 0 else 1 << 30


def _field(element: Mapping[str, Any], pointer: str, *, alone: bool) -> Field:
    return Field(
        name=column_name(element),
        pointer=pointer,
        logical_type=element.get("logicalType"),
        required=is_required(element),
        unique=bool(element.get("unique") or (alone and element.get("primaryKey"))),
        **classified(element),
    )


def _json_type(element: object) -> str | None:
    value = element.get("type") if isinstance(element, Mapping) else None
    return value if isinstance(value, str) else None


def _dialect(elements: Iterable[Mapping[str, Any]]) -> Dialect:
    merged: dict[str, Any] = {}
    for element in elements:
        merged |= {**server_dialect(element), **custom_value(element, DIALECT)}
    return Dialect.from_profile(merged)


def _acceptance(elements: Iterable[Mapping[str, Any]]) -> Acceptance:
    found = [value for item in elements if (value := custom_value(item, ACCEPTANCE))]
    return Acceptance.from_profile(found[-1] if found else {})


def _file_set(elements: Iterable[Mapping[str, Any]]) -> SetRule | None:
    found = [value for item in elements if (value := custom_value(item, FILE_SET))]
    return SetRule.from_profile(found[-1] if found else {})


def _urn(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._~-]", "-", text)
