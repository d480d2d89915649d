"""What the relationships of a file point at: the last good version of other objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO

from mesh import contracts
from mesh.backbone import Backbone
from mesh.errors import Rejected, Unavailable
from mesh.model.dropped_file import Place
from mesh.model.names import ProductId
from mesh.model.product import DataProduct, OutputPort
from mesh.model.relationship_targets import Target, find_target
from mesh.model.relationships import ReferredVersion, Relationship
from mesh.ports import Gone
from mesh.validation import FileProblem, Plan, Reference
from mesh.validation.report import FileRefusedError


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """What a file is checked against, by the path of each relationship.

    Attributes:
        versions: which published data that was.
        problem: why the file cannot be checked, and so not be accepted.
    """

    found: Mapping[str, Reference] = field(default_factory=dict)
    versions: Mapping[str, ReferredVersion] = field(default_factory=dict)
    problem: FileProblem | None = None


def references(
    backbone: Backbone,
    place: Place,
    plan: Plan,
    *,
    drop: str,
    again: Callable[[], IO[bytes] | FileProblem],
) -> References:
    """Read what the relationships of a plan point at, as it is published now.

    Args:
        place: of the file that is to be judged.
        drop: its id.
        again: gives the good rows of the file itself, for relationships within it.

    Raises:
        Unavailable: data is on record and not in storage.
    """
    found: dict[str, Reference] = {}
    versions: dict[str, ReferredVersion] = {}
    for one in plan.relationships:
        if one.obstacle:
            continue
        version, columns, location = _version(backbone, place, one, drop) or (None, (), None)
        reference = None
        if version is not None:
            reference = Reference(plan, one, label=version.label, columns=columns)
            reference = _filled(backbone, reference, location, again)
        if version is not None and reference is not None:
            found[one.pointer], versions[one.pointer] = reference, version
        elif one.when_unpublished == "reject" and location is not _OWN_ROWS:
            return References(problem=_unpublished(place.product, one, version))
    return References(found=found, versions=versions)


def target_of(
    backbone: Backbone, product: DataProduct, relationship: Relationship
) -> tuple[OutputPort, Target] | None:
    """What a relationship points at in the published contracts of a product; None: nothing.

    It is looked for in the ports of the major that the relationship names, or of the lowest that
    has it, so that a new major beside the old one changes nothing.
    """
    for port in sorted(product.output_ports, key=lambda port: port.major):
        if relationship.major in {None, port.major}:
            document = json.loads(contracts.published(backbone, product.id, port))
            target = find_target(document, relationship.object_name, relationship.properties)
            if target is not None:
                return port, target
    return None


def address_of(relationship: Relationship, own: ProductId) -> ProductId | None:
    """The product that is pointed at; None when it is no product's address."""
    if relationship.product is None:
        return own
    try:
        return ProductId.parse(relationship.product)
    except Rejected:
        return None


_OWN_ROWS: tuple[str, ...] = ()
"""Instead of locations: the rows that are pointed at are those of the file itself."""


def _version(
    backbone: Backbone, place: Place, relationship: Relationship, drop: str
) -> tuple[ReferredVersion, tuple[tuple[str, ...], ...], tuple[str, ...]] | None:
    """What is pointed at, the ways to it, and where its rows lie; None: nothing is published."""
    address = address_of(relationship, place.product)
    if relationship.product is None:
        relationship = replace(relationship, major=place.major)  # the contract's own
    product = backbone.registry.head(address).product if address else None
    found = target_of(backbone, product, relationship) if product else None
    if product is None or found is None:
        return None
    port, target = found
    version = ReferredVersion(
        path=relationship.pointer,
        fields=relationship.fields,
        product=str(product.id),
        contract=f"{port.name}:{port.version}",
        object_name=target.object_name,
        properties=target.columns,
        drop=drop,
        sequence=0,
    )
    pointed_at = (product.id, port.major, target.object_name)
    if pointed_at == (place.product, place.major, place.object_name):
        return version, target.steps, _OWN_ROWS
    for snapshot in backbone.registry.snapshots(product.id):
        if (snapshot.major, snapshot.object_name) == pointed_at[1:]:
            entry = backbone.registry.entry(product.id, snapshot.drop)
            assert entry is not None  # it was committed together with the snapshot
            version = replace(
                version, contract=entry.contract, drop=snapshot.drop, sequence=snapshot.sequence
            )
            if snapshot.parts:
                return version, target.steps, snapshot.parts
            assert snapshot.parquet is not None  # it is no set
            return version, target.steps, (snapshot.parquet,)
    return None


def _filled(
    backbone: Backbone,
    reference: Reference,
    locations: tuple[str, ...] | None,
    again: Callable[[], IO[bytes] | FileProblem],
) -> Reference | None:
    """The reference with its keys; None when the data has no such columns, or cannot be read."""
    try:
        if locations:
            for location in locations:
                reference.fill(_stored(backbone, location))
            return reference
        rows = again()
        if isinstance(rows, FileProblem):
            return None  # the file is refused for that when it is judged
        with rows:
            reference.fill_from(rows)
    except (KeyError, FileRefusedError):
        return None
    return reference


def _stored(backbone: Backbone, location: str) -> Iterator[bytes]:
    try:
        yield from backbone.storage.open(location)
    except Gone:
        message = f"{location} is on record as published and not in storage."
        raise Unavailable(message) from None


def _unpublished(
    own: ProductId, relationship: Relationship, version: ReferredVersion | None
) -> FileProblem:
    why = "of which nothing is published yet"
    if version is not None:
        why = "whose published data lacks these fields, or is larger than can be read here"
    return FileProblem(
        rule="reference",
        message=f"{', '.join(relationship.fields)} must point at records of "
        f"{relationship.product or own} {relationship.object_name}, {why}: the file cannot be "
        f"checked.",
        remedy="Drop it again once that is published; or let the contract take it unchecked, with "
        "whenUnpublished: accept in the relationship's referenceCheck.",
    )
