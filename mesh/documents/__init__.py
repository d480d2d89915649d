"""YAML and JSON documents read into plain data, strictly: what is ambiguous is refused.

A document of a declaration is written once and read by people and machines of many minds, so it has
to mean the same to each of them: duplicate keys, several documents in one file, tags, merge keys,
keys that are not text and numbers that JSON cannot hold are findings, not surprises. YAML is
read by the core schema of YAML 1.2: `no` is a text, `2026-01-01` is a text, `0o17` is fifteen.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mesh.documents.json_text import read_json
from mesh.documents.refusals import MAX_BYTES, Refused, position
from mesh.documents.yaml_text import read_yaml
from mesh.model.declaration import Declaration, check_declaration, check_file_names
from mesh.model.findings import Finding
from mesh.model.odcs_variables import resolved

__all__ = ["read_declaration", "read_document"]

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
"""Contracts then have their defaults."""


def read_declaration(
    files: Mapping[str, bytes | str], *, variables: Mapping[str, str] = NO_VARIABLES
) -> Declaration | tuple[Finding, ...]:
    """Read and check the files of a declaration's folder, by file name.

    Args:
        variables: Values of the variables that contracts may use, by name.

    Returns:
        The declaration, or everything that is wrong with it.
    """
    return check_file_names(tuple(files)) or check_declaration(
        {name: read_document(name, data, variables=variables) for name, data in files.items()}
    )


def read_document(
    name: str, data: bytes | str, *, variables: Mapping[str, str] = NO_VARIABLES
) -> dict[str, Any] | Finding:
    """Read one document: JSON when `name` ends in `.json`, YAML otherwise.

    Args:
        variables: Values of the variables that a contract may use, by name.

    Returns:
        Plain data (dict, list, str, int, float, bool, None), or the finding that ended the reading.
        It names line and column, counted from 1.
    """
    try:
        text = _text(data)
        value = read_json(text) if name.endswith(".json") else read_yaml(text)
        if not isinstance(value, dict):
            message = f"The document is {_kind(value)}, not an object with keys."
            remedy = "Start it with the keys of its standard, such as apiVersion and kind."
            raise Refused("not-an-object", message, remedy)
    except Refused as refused:
        return refused.finding(name)
    return resolved(value, variables) if value.get("kind") == "DataContract" else value


def _text(data: bytes | str) -> str:
    encoded = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    if len(encoded) > MAX_BYTES:
        message = f"The file has {len(encoded)} bytes; a document has at most {MAX_BYTES}."
        raise Refused("too-large", message, "Move data and generated parts out of the document.")
    try:
        return encoded.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, column = position(encoded[: error.start].decode(), error.start)
        message = f"The file is not UTF-8 at line {line}, column {column}."
        raise Refused("not-utf-8", message, "Save the file with the encoding UTF-8.") from None


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    return "a list" if isinstance(value, list) else "a single value"
