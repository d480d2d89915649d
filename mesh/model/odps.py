"""The Open Data Product Standard (ODPS): is a document what the standard asks for?

The JSON Schemas in `schemas/odps/` follow the text of the standard where its own schema is laxer:
`outputPorts` is required and not empty, and `status` is one of five words.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesh.model.declaration_rules import Sheet
from mesh.model.pointers import pointer, pointer_of

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SUPPORTED = ("v1.1.0", "v1.0.0")
_FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "odps"
_KINDS = {
    "string": "a text",
    "array": "a list",
    "object": "an object with keys",
    "boolean": "true or false",
}


def check_odps(document: Mapping[str, Any], *, file: str, sheet: Sheet) -> None:
    """Note everything in `document` that its version of the standard does not allow."""
    version = document.get("apiVersion")
    if version not in SUPPORTED:
        said = (
            "There is no apiVersion"
            if version is None
            else f"The apiVersion {version!r} is not supported"
        )
        message = f"{said}, so nothing else of the file was compared with the standard."
        remedy = f"Write apiVersion: {' or '.join(SUPPORTED)}."
        sheet.note(file, "/apiVersion", "odps.version", message, remedy)
        return
    for error in _validator(version).iter_errors(dict(document)):
        for path, rule, message, remedy in _wrong(error):
            sheet.note(file, path, rule, message, remedy)


@functools.cache
def _validator(version: str) -> Validator:
    from jsonschema import Draft202012Validator

    schema = json.loads((_FOLDER / f"{version}.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _wrong(error: Any) -> Iterator[tuple[str, str, str, str]]:
    """Path, rule, message and remedy of each thing that an error of the schema stands for."""
    path, value, wanted = pointer_of(error.absolute_path), error.instance, error.validator_value
    match error.validator:
        case "required":
            for key in wanted:
                if key not in value:
                    message = f"The key {key!r} is missing."
                    remedy = "Add it; the standard requires it."
                    yield pointer(path, key), "odps.missing", message, remedy
        case "additionalProperties":
            known = error.schema["properties"]
            for key in value:
                if key not in known:
                    message = f"The standard knows no key {key!r} here."
                    yield pointer(path, key), "odps.unknown-key", message, _instead(key, known)
        case "type":
            message = f"{_shown(value)} is not {_kinds(wanted)}."
            remedy = "Put the text in quotes." if wanted == "string" else "Correct the value."
            yield path, "odps.type", message, remedy
        case "format":
            message = f"{_shown(value)} is not a valid {wanted}."
            yield path, "odps.format", message, f"Write it like {_EXAMPLES[wanted]}."
        case "minItems":
            yield path, "odps.value", "The list is empty.", "Add at least one entry."
        case _:  # const and enum, of texts
            allowed = ", ".join(wanted if isinstance(wanted, list) else [wanted])
            yield path, "odps.value", f"{_shown(value)} is not allowed here.", f"Write {allowed}."


def _kinds(wanted: str | list[str]) -> str:
    return " or ".join(_KINDS[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted))


_EXAMPLES = {
    "uri": "https://example.com/runbook or mailto:team@example.com",
    "date": "2026-01-31",
    "date-time": "2026-01-31T00:00:00Z",
}


def _instead(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"Write {near[0]!r}, if that was meant."
    return "Remove it, or move it to customProperties."


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
