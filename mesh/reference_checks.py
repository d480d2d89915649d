"""Whether the relationships of a declaration point at something that other contracts promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesh.backbone import Backbone
from mesh.model.contract import DataContract
from mesh.model.declaration import Declaration, DeclaredContract
from mesh.model.findings import Finding
from mesh.model.relationship_targets import Target, find_target
from mesh.model.relationships import Relationship
from mesh.referring import address_of, target_of

_ALIKE = {"integer": "number"}


def wrong_references(
    backbone: Backbone, declaration: Declaration, declared: DeclaredContract
) -> list[Finding]:
    """What is wrong with the relationships of one of a declaration's contracts.

    Each must point at fields that the product pointed at has published under contract, that
    identify one record there, and that hold values of the same kind.
    """
    contract = DataContract.from_document(declared.document)
    return [
        finding
        for item in contract.objects.values()
        for one in item.relationships
        if not one.obstacle
        for finding in _wrong(backbone, declaration, declared, one)
    ]


def referred_classifications(backbone: Backbone, declaration: Declaration) -> frozenset[str]:
    """The classifications of the fields that a declaration's relationships point at.

    Who may drop files learns from the rejects which values are there.
    """
    found = [
        _target(backbone, declaration, declared, one)
        for declared in declaration.contracts
        for item in DataContract.from_document(declared.document).objects.values()
        for one in item.relationships
        if not one.obstacle
    ]
    return frozenset(
        label for target in found if isinstance(target, Target) for label in target.classifications
    )


def _wrong(
    backbone: Backbone,
    declaration: Declaration,
    declared: DeclaredContract,
    one: Relationship,
) -> Iterator[Finding]:
    found = _target(backbone, declaration, declared, one)
    if isinstance(found, str):
        yield _finding(declared, one, found, "Onboard what is pointed at first, or correct it.")
        return
    names = ", ".join(found.columns)
    if not found.is_key:
        yield _finding(
            declared,
            one,
            f"{names} of {found.object_name} is neither its primary key nor unique: it identifies "
            f"no record.",
            "Point at the primary key, all of it, or at a unique field.",
        )
    for column in found.partitioned:
        yield _finding(
            declared,
            one,
            f"{found.object_name} is published in folders by {column}: its files do not hold it.",
            "Point at another key of it.",
        )
    wholes = zip(one.fields, one.types, found.columns, found.types, strict=True)
    for field, own, column, kind in wholes:
        if not _same(own, kind):
            yield _finding(
                declared,
                one,
                f"{field} is of type {own}, {column} of {found.object_name} of type "
                f"{kind}: no values are equal.",
                "Give both the same logicalType.",
            )


def _target(
    backbone: Backbone, declaration: Declaration, declared: DeclaredContract, one: Relationship
) -> Target | str:
    """What is pointed at, or why it cannot be found."""
    address = address_of(one, declaration.product.id)
    if address is None:
        return f"{one.product!r} is no product's address, DOMAIN/PRODUCT."
    if address == declaration.product.id:
        contracts = (declared,) if one.product is None else declaration.contracts
        return _within(contracts, one) or f"No contract of {address} has {_wanted(one)}."
    product = backbone.registry.head(address).product
    if product is None:
        return f"The relationship points at {address}, which is not onboarded."
    found = target_of(backbone, product, one)
    if found is not None:
        return found[1]
    ports = ", ".join(f"{port.name}:{port.version}" for port in product.output_ports)
    return f"{address} has no {_wanted(one)}; it has published {ports}."


def _wanted(one: Relationship) -> str:
    return f"{one.object_name} ({', '.join(one.properties)})"


def _within(contracts: Sequence[DeclaredContract], one: Relationship) -> Target | None:
    """What is pointed at in the declaration itself."""
    for declared in sorted(contracts, key=lambda declared: declared.port.major):
        if one.major in {None, declared.port.major}:
            found = find_target(declared.document, one.object_name, one.properties)
            if found is not None:
                return found
    return None


def _same(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return True
    return _ALIKE.get(one, one) == _ALIKE.get(other, other)


def _finding(declared: DeclaredContract, one: Relationship, message: str, remedy: str) -> Finding:
    return Finding(
        file=declared.file,
        path=one.pointer,
        rule="contract.relationship",
        message=message,
        remedy=remedy,
    )
