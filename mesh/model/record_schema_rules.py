"""What a plain JSON Schema must hold, so that files can be judged by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.odcs_problem import Problem
from mesh.model.odcs_values import pattern_problems
from mesh.model.pointers import pointer, pointer_of
from mesh.model.schema_references import reference_problems, schemas


def record_schema_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a plain JSON Schema of one record."""
    import jsonschema
    from jsonschema.validators import validator_for

    cls = validator_for(document, default=jsonschema.Draft202012Validator)
    drafts = (
        jsonschema.Draft7Validator,
        jsonschema.Draft201909Validator,
        jsonschema.Draft202012Validator,
    )
    if cls not in drafts or not _known_dialect(document, cls):
        yield Problem(
            "/$schema",
            "jsonschema.dialect",
            f"$schema {document.get('$schema')!r} is not a draft that can be checked.",
            "Use draft 7, 2019-09 or 2020-12.",
        )
        return
    for error in cls(cls.META_SCHEMA).iter_errors(document):
        yield Problem(
            pointer_of(error.path),
            f"jsonschema.{error.validator}",
            f"{error.message[:160]}.",
            "Correct the keyword as its draft of JSON Schema describes it.",
        )
    yield from _schema_patterns(document)
    yield from reference_problems(document)
    if "object" not in _types(document):
        yield Problem(
            "/type",
            "jsonschema.record",
            f"A record is an object, and the schema is of type {document['type']}.",
            "Describe one record, with its fields under `properties`.",
        )


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", "object")
    return [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else ["object"]


def _known_dialect(document: Mapping[str, Any], cls: Any) -> bool:
    named = str(document.get("$schema", "")).rstrip("#")
    return not named or named == str(cls.META_SCHEMA.get("$id", "")).rstrip("#")


def _schema_patterns(document: Mapping[str, Any]) -> Iterator[Problem]:
    for path, schema in schemas(document):
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            yield from pattern_problems(pattern, f"{path}/pattern")
        keys = schema.get("patternProperties")
        for key in keys if isinstance(keys, Mapping) else ():
            yield from pattern_problems(key, pointer(f"{path}/patternProperties", key))
