"""What a contract says that no file is checked by: told when it is linted, and in each receipt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.model.contract_quality import QualityRule, is_checked
from mesh.model.contract_schema import column_name
from mesh.model.freshness import RULE as LATENCY
from mesh.model.freshness import Freshness
from mesh.model.schema_references import schemas
from mesh.model.value_paths import nested_elements

FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "idn-email", "idn-hostname", "ipv4"}
    | {"ipv6", "iri", "iri-reference", "json-pointer", "regex", "relative-json-pointer", "time"}
    | {"uri", "uri-reference", "uri-template", "uuid", "local-date-time", "local-time"}
)
"""Of JSON Schema 2020-12, and our own, that texts are checked by."""

_OF_TEXTS = FORMATS | {"byte", "binary", "password"}
"""Of ODCS; the last two are any text."""

_SINCE_DRAFT_7 = frozenset({"duration", "uuid"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchecked:
    """One thing that a contract says and no file is checked by.

    Attributes:
        pointer: JSON Pointer of it in the contract.
        rule: What it would be a rule of: `format`, `quality` or `latency`.
    """

    pointer: str
    rule: str
    message: str
    remedy: str


def unchecked(
    element: Mapping[str, Any],
    pointer: str,
    rules: Iterable[QualityRule],
    promises: Iterable[Freshness],
) -> Iterator[Unchecked]:
    """What a schema object says and no file is checked by.

    Args:
        rules: Its quality rules.
        promises: Of how new its data is.
    """
    yield from _formats(element, pointer)
    yield from _rules(rules)
    yield from _ages(promises)


def _formats(element: Mapping[str, Any], pointer: str) -> Iterator[Unchecked]:
    """Formats of the texts of an object that are none of those that are known."""
    tops = ((item, f"{pointer}/properties/{at}") for at, item in _listed(element))
    holders = [(column_name(item), item, at) for item, at in tops]
    holders += [(one.label, one.element, one.pointer) for one in nested_elements(element, pointer)]
    for label, item, at in holders:
        name = (item.get("logicalTypeOptions") or {}).get("format")
        if item.get("logicalType") == "string" and name is not None and name not in _OF_TEXTS:
            yield _unknown(str(name), label, f"{at}/logicalTypeOptions/format")


def unchecked_keywords(schema: Mapping[str, Any]) -> Iterator[Unchecked]:
    """Formats in a plain JSON Schema that its own draft does not define."""
    is_old = "draft-07" in str(schema.get("$schema", ""))
    known = FORMATS - _SINCE_DRAFT_7 if is_old else FORMATS
    for path, inner in schemas(schema):
        name = inner.get("format")
        if isinstance(name, str) and name not in known:
            yield _unknown(name, path or "the record", f"{path}/format")


def _rules(rules: Iterable[QualityRule]) -> Iterator[Unchecked]:
    """Quality rules for other engines, and those that do not say what is to be counted."""
    for rule in rules:
        is_asked = rule.kind == "sql" and rule.operator is not None
        if rule.kind == "text" or is_asked or is_checked(rule):
            continue
        metric = f" {rule.metric!r}" if rule.kind == "library" and rule.metric else ""
        yield Unchecked(
            pointer=rule.pointer,
            rule="quality",
            message=f"The {rule.kind} quality rule{metric} at {rule.pointer} was not checked.",
            remedy="Check it where the data is used; checked here are SQL, and metrics of the "
            "library, that have an operator.",
        )


def _ages(promises: Iterable[Freshness]) -> Iterator[Unchecked]:
    """Promises of how new data is that cannot be held against it."""
    for one in promises:
        if one.obstacle:
            yield Unchecked(
                pointer=one.pointer,
                rule=LATENCY,
                message=f"How new {one.field} is was not checked: {one.obstacle}.",
                remedy="Promise it of a field at the top of a record, whose layout begins with the "
                "year or is that of RFC 3339.",
            )


def _unknown(name: str, where: str, path: str) -> Unchecked:
    return Unchecked(
        pointer=path,
        rule="format",
        message=f"The values of {where} were not checked by the format {name!r}, which is not known"
        " here.",
        remedy="Say with a pattern or an enum what they look like; or correct the name of the "
        "format.",
    )


def _listed(element: Mapping[str, Any]) -> Iterable[tuple[int, Mapping[str, Any]]]:
    return enumerate(element.get("properties") or ())
