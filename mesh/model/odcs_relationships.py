"""Whether the relationships of a contract are what the standard's text and this project want."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.contract_profile import REFERENCE
from mesh.model.odcs_problem import Problem
from mesh.model.odcs_profile import profile_problems
from mesh.model.relationship_targets import find_target
from mesh.model.relationships import (
    Relationship,
    relationship_elements,
    relationships,
)


def relationship_problems(
    document: Mapping[str, Any], profile: Mapping[str, Any]
) -> Iterator[Problem]:
    """What is wrong with the relationships of a document that its JSON Schema admits."""
    for index, element in enumerate(document.get("schema") or ()):
        for pointer, entry in relationship_elements(element, f"/schema/{index}"):
            yield from profile_problems(entry, pointer, profile, names=(REFERENCE,))
        for one in relationships(element, f"/schema/{index}", document):
            yield from _problems(document, one)


def _problems(document: Mapping[str, Any], one: Relationship) -> Iterator[Problem]:
    if one.obstacle:
        yield Problem(
            one.pointer,
            "odcs.relationship",
            f"The relationship cannot be followed: {one.obstacle}.",
            "Write `to`, and at the object `from` too, as object.property, as "
            "schema/ID/properties/ID, or as lists of as many of them, of one object each. A "
            "property within a list or a map has its relationships itself.",
        )
    elif not one.product and not _is_there(document, one):
        yield Problem(
            f"{one.pointer}/to",
            "odcs.relationship",
            f"The contract has no {one.object_name} ({', '.join(one.properties)}).",
            "Correct the name; what another contract describes is written with its file: "
            "../../DOMAIN/PRODUCT/NAME.odcs.yaml#/schema/ID/properties/ID.",
        )


def _is_there(document: Mapping[str, Any], one: Relationship) -> bool:
    return find_target(document, one.object_name, one.properties) is not None
