"""Everything that is wrong with a contract document, at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesh.model.contract import DataContract
from mesh.model.findings import Finding
from mesh.model.odcs_problem import Problem
from mesh.model.odcs_relationships import relationship_problems
from mesh.model.odcs_rules import text_problems
from mesh.model.odcs_schema import SUPPORTED, minor_version, official_schema, profile_schema
from mesh.model.odcs_variables import variable_problems
from mesh.model.pointers import pointer_of
from mesh.model.record_schema_rules import record_schema_problems

_REMEDIES: Mapping[str, str] = {
    "required": "Add the missing property.",
    "additionalProperties": "Remove it, correct its spelling, or move it to customProperties.",
    "unevaluatedProperties": "Remove it, correct its spelling, or move it to customProperties.",
    "enum": "Use one of the values named.",
    "type": "Write a value of that type; in YAML, quotes make a string.",
    "pattern": "Use only the characters that the pattern allows.",
}
_WORDS = 160
_UNEVALUATED = "odcs.schema.unevaluatedProperties"


def is_record_schema(document: Mapping[str, Any]) -> bool:
    """Whether a document is a plain JSON Schema of one record rather than an ODCS contract."""
    if "apiVersion" in document or "kind" in document:
        return False
    return "$schema" in document or "properties" in document or document.get("type") == "object"


def check_contract(document: object, *, file: str) -> list[Finding]:
    """What is wrong with a contract: nothing, when the list is empty.

    ODCS documents are checked with the official JSON Schema of their own `apiVersion`, then with
    what the standard's text, `docs/contract-profile.md` and common sense demand beyond it. A
    plain JSON Schema of one record is checked with its meta-schema.

    Args:
        document: The parsed document; dates as strings.
        file: Name of the document, for the findings.
    """
    problems = sorted(set(_problems(document)), key=lambda problem: (problem.path, problem.rule))
    return [
        Finding(
            file=file,
            path=problem.path,
            rule=problem.rule,
            message=problem.message,
            remedy=problem.remedy,
        )
        for problem in problems
    ]


def unchecked_findings(document: Mapping[str, Any], *, file: str) -> list[Finding]:
    """What a contract in which nothing is wrong says, and no file is checked by.

    Nothing is refused for that; receipts warn of it.
    """
    contract = DataContract.from_document(document)
    found = {one: None for item in contract.objects.values() for one in item.unchecked}
    return [
        Finding(file=file, path=one.pointer, rule=one.rule, message=one.message, remedy=one.remedy)
        for one in found
    ]


def _problems(document: object) -> Iterator[Problem]:
    if not isinstance(document, Mapping):
        yield Problem(
            "",
            "contract.object",
            f"The document is {_kind(document)}, not a mapping of properties.",
            "Write an ODCS data contract (apiVersion, kind: DataContract, id, version, schema).",
        )
    elif is_record_schema(document):
        yield from record_schema_problems(document)
    else:
        yield from _odcs_problems(document)


def _odcs_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    minor = minor_version(document.get("apiVersion"))
    if document.get("kind") != "DataContract" and "apiVersion" not in document:
        yield Problem(
            "",
            "contract.unknown",
            "The document is neither an ODCS data contract (it has no apiVersion and kind) nor a "
            "JSON Schema of one record.",
            "Start it with `apiVersion: v3.1.0` and `kind: DataContract`.",
        )
        return
    if minor is None:
        yield Problem(
            "/apiVersion" if "apiVersion" in document else "",
            "odcs.apiVersion",
            f"apiVersion {document.get('apiVersion')!r} is not a version of ODCS that can be "
            f"checked.",
            f"Use one of {', '.join(f'{name}.x' for name in SUPPORTED)}.",
        )
        return
    found = list(_schema_problems(document, official_schema(minor)))
    yield from found
    yield from variable_problems(document)
    broken = {problem.path for problem in found}
    yield from (
        problem
        for problem in text_problems(document, profile_schema())
        if problem.path not in broken
    )
    if not found:
        yield from relationship_problems(document, profile_schema())


def _schema_problems(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Problem]:
    import jsonschema

    errors = jsonschema.Draft201909Validator(schema).iter_errors(document)
    found = [problem for error in errors for problem in _explain(error)]
    # A place that is wrong in another way has, to JSON Schema, no evaluated properties at all.
    otherwise = {problem.path for problem in found if problem.rule != _UNEVALUATED}
    for problem in found:
        if problem.rule != _UNEVALUATED:
            yield problem
        elif problem.path not in otherwise:
            yield problem._replace(rule="odcs.schema.additionalProperties")


def _explain(error: Any) -> Iterator[Problem]:
    path = pointer_of(error.absolute_path)
    if error.validator == "oneOf" and "/quality/" in path:
        yield _operators(error, path)
        return
    if error.context:
        best = _likeliest(error.context)
        for inner in best:
            yield from _explain(inner)
        return
    keyword = str(error.validator)
    if keyword == "required" and "'map'" in error.message and "logicalType" not in error.instance:
        # In the schema of 3.2 the condition "if the logicalType is map" also holds without one.
        yield Problem(
            path,
            "odcs.logicalType",
            "The property has no logicalType, which the schema of ODCS 3.2 does not admit.",
            "Give it a logicalType.",
        )
        return
    yield Problem(path, f"odcs.schema.{keyword}", _sentence(error), _remedy(error))


def _operators(error: Any, path: str) -> Problem:
    from mesh.model.contract_quality import OPERATORS

    instance = error.instance if isinstance(error.instance, Mapping) else {}
    used = [name for name in OPERATORS if name in instance]
    if len(used) == 1:
        message = f"The limit of {used[0]} is {instance[used[0]]!r}, which it cannot compare with."
        remedy = "Give a number, or a list of two different numbers for a Between operator."
    else:
        message = (
            f"A quality rule has exactly one operator; this one has "
            f"{'none' if not used else ' and '.join(used)}."
        )
        remedy = f"Write one of {', '.join(OPERATORS)}; for two limits, write two rules."
    return Problem(path, "odcs.quality.operator", message, remedy)


def _likeliest(context: Sequence[Any]) -> list[Any]:
    """The errors of the branch of an anyOf or oneOf that comes closest to what was written."""
    branches: dict[object, list[Any]] = {}
    for error in context:
        branches.setdefault(error.schema_path[0], []).append(error)

    def distance(errors: list[Any]) -> tuple[bool, int]:
        wrong_type = any(not error.path and error.validator == "type" for error in errors)
        return wrong_type, len(errors)

    return min(branches.values(), key=distance)


def _sentence(error: Any) -> str:
    message = str(error.message)
    match error.validator:
        case "required":
            message = message.replace("is a required property", "is required here and missing")
        case "type":
            wanted = error.validator_value
            names = [wanted] if isinstance(wanted, str) else list(wanted)
            message = f"The value is {_kind(error.instance)}; it must be {' or '.join(names)}."
        case "unevaluatedProperties" | "additionalProperties":
            unknown = re.findall("'([^']*)'", message.partition("(")[2])
            message = f"ODCS, in this version and at this place, knows no {' or '.join(unknown)}."
        case _:
            pass
    message = message if len(message) <= _WORDS else message[: _WORDS - 1] + "…"
    return message if message.endswith((".", "…")) else message + "."


def _remedy(error: Any) -> str:
    if error.validator == "enum":
        return f"Use one of {', '.join(str(value) for value in error.validator_value)}."
    return _REMEDIES.get(str(error.validator), "Correct the value as the standard describes it.")


def _kind(value: object) -> str:
    names: Mapping[type, str] = {
        bool: "a boolean",
        int: "an integer",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a mapping",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)
