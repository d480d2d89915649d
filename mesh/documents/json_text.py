"""JSON text into plain data."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from mesh.documents.refusals import (
    MAX_DEPTH,
    MAX_VALUES,
    Refused,
    duplicate,
    not_json,
    position,
    too_deep,
    too_many_values,
)
from mesh.model.pointers import pointer

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]', re.DOTALL)


def read_json(text: str) -> Any:
    """Read one JSON text; None when it is blank.

    Raises:
        Refused: it breaks a rule.
    """
    if not text.strip():
        return None
    _check_structure(text)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"{error.msg} at line {error.lineno}, column {error.colno}."
        raise Refused("syntax", message, "Correct the JSON at that place.") from None
    except ValueError:
        # Python converts integers of at most 4,300 digits.
        raise not_json("An integer of thousands of digits") from None
    _check_values(value)
    return value


def _check_structure(text: str) -> None:
    """Refuse what the parser would not notice, or not survive; leave syntax to the parser."""
    objects: list[set[str] | None] = []
    string: re.Match[str] | None = None
    marks = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        marks += mark in ",[{"
        if marks > MAX_VALUES:
            raise too_many_values()
        if mark in "{[":
            objects.append(set() if mark == "{" else None)
            if len(objects) > MAX_DEPTH:
                raise too_deep(*position(text, token.start()))
        elif mark in "}]" and objects:
            objects.pop()
        elif mark == ":" and string and objects:
            _take_key(text, string, objects[-1])
        string = token if mark.startswith('"') else None


def _take_key(text: str, token: re.Match[str], keys: set[str] | None) -> None:
    try:
        key = json.loads(token[0])
    except ValueError:
        return
    if keys is not None and key in keys:
        raise duplicate(key, *position(text, token.start()))
    if keys is not None:
        keys.add(key)


def _refuse_constant(text: str) -> NoReturn:
    raise not_json(f"The number {text}")


def _check_values(root: object) -> None:
    todo = [("", root)]
    while todo:
        place, value = todo.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise not_json("A number beyond the range of double precision", place)
        if isinstance(value, str):
            _check_characters(value, place)
        elif isinstance(value, dict):
            for key, member in value.items():
                _check_characters(key, place)
                todo.append((pointer(place, key), member))
        elif isinstance(value, list):
            todo.extend((pointer(place, index), item) for index, item in enumerate(value))


def _check_characters(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{text!r} holds half of a surrogate pair, which is no character."
        raise Refused("not-json", message, "Write the character itself.", path) from None
