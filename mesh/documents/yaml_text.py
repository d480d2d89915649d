"""YAML text into plain data, by the core schema of YAML 1.2.2 (chapter 10.3).

PyYAML resolves scalars by YAML 1.1 and builds what aliases repeat without bound; so only its parser
is used here, and the data is built from its events.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

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

_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({"!", f"{_CORE}str"})


def read_yaml(text: str) -> Any:
    """Read one YAML document; None when there is nothing in it.

    Raises:
        Refused: it breaks a rule.
    """
    import yaml

    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        message = f"{str(error.problem or error.context).capitalize()}{where}."
        raise Refused("syntax", message, "Correct the YAML at that place.") from None
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode()  # libyaml counts bytes
        line, column = position(before, len(before))
        found = f"Character #x{ord(text[len(before)]):04x} at line {line}, column {column}"
        message = f"{found} is not allowed in YAML."
        raise Refused("syntax", message, "Remove the character.") from None
    return builder.root


@dataclass(kw_only=True, slots=True)
class _Open:
    """A list or an object whose end has not been read yet.

    Attributes:
        weight: values in it, itself included.
        height: levels below it.
    """

    value: dict[str, Any] | list[Any]
    path: str
    anchor: str | None
    key: str | None = None
    weight: int = 1
    height: int = 0

    @property
    def expects_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Anchored:
    value: Any
    weight: int
    height: int


class _Builder:
    """Builds plain data from events, without recursion and within the bounds."""

    def __init__(self) -> None:
        self.root: Any = None
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._documents = 0
        self._values = 0

    def take(self, event: Any) -> None:
        """Take the next event of the parser."""
        name = type(event).__name__
        if name in _TAKE:
            _TAKE[name](self, event)

    def document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            message = f"A second document starts at {_place(event)}."
            raise Refused("several", message, "Put each document into a file of its own.")

    def start(self, event: Any) -> None:
        is_object = type(event).__name__ == "MappingStartEvent"
        self._check_tag(event, f"{_CORE}{'map' if is_object else 'seq'}")
        self._refuse_as_key("A list or an object", event)
        value: dict[str, Any] | list[Any] = {} if is_object else []
        self._open.append(_Open(value=value, path=self._here(), anchor=event.anchor))
        if len(self._open) > MAX_DEPTH:
            raise too_deep(*_line_and_column(event))

    def end(self, _event: Any) -> None:
        done = self._open.pop()
        built = _Anchored(value=done.value, weight=done.weight, height=done.height + 1)
        self._finish(built, done.anchor)

    def scalar(self, event: Any) -> None:
        value = self._resolve(event)
        if self._open and self._open[-1].expects_key:
            self._take_key(value, event)
        else:
            self._finish(_Anchored(value=value, weight=1, height=0), event.anchor)

    def alias(self, event: Any) -> None:
        self._refuse_as_key("An alias", event)
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            message = f"*{event.anchor} at {_place(event)} repeats nothing that is complete there."
            raise Refused("syntax", message, "Write the value itself.", self._here())
        if len(self._open) + anchored.height > MAX_DEPTH:
            raise too_deep(*_line_and_column(event))
        self._values += anchored.weight - 1
        if self._values > MAX_VALUES:
            raise too_many_values()
        again = replace(anchored, value=copy.deepcopy(anchored.value))
        self._finish(again, None)

    def _take_key(self, key: object, event: Any) -> None:
        parent = self._open[-1]
        if event.value == "<<" and event.implicit[0]:
            message = f"The merge key << at {_place(event)} is not part of YAML 1.2."
            raise Refused("unsupported", message, "Write the merged keys out.", parent.path)
        if not isinstance(key, str):
            self._refuse_as_key(f"The value {event.value!r}", event)
            return
        if key in parent.value:
            raise duplicate(key, *_line_and_column(event), pointer(parent.path, key))
        parent.key = key

    def _refuse_as_key(self, found: str, event: Any) -> None:
        if self._open and self._open[-1].expects_key:
            message = f"{found} at {_place(event)} stands for a key, and a key is text."
            raise Refused("key-not-text", message, "Put the key in quotes.", self._open[-1].path)

    def _finish(self, built: _Anchored, anchor: str | None) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise too_many_values()
        if anchor is not None:
            self._anchors[anchor] = built
        if not self._open:
            self.root = built.value
            return
        parent = self._open[-1]
        parent.weight += built.weight
        parent.height = max(parent.height, built.height)
        if isinstance(parent.value, list):
            parent.value.append(built.value)
        else:
            assert parent.key is not None
            parent.value[parent.key] = built.value
            parent.key = None

    def _here(self) -> str:
        """The JSON Pointer of the value that comes next."""
        if not self._open:
            return ""
        parent = self._open[-1]
        step = len(parent.value) if isinstance(parent.value, list) else parent.key
        return parent.path if step is None else pointer(parent.path, step)

    def _check_tag(self, event: Any, *allowed: str) -> None:
        if event.tag is not None and event.tag not in {"!", *allowed}:
            message = f"The tag {event.tag} at {_place(event)} does not belong there."
            raise Refused("unsupported", message, "Remove the tag.", self._here())

    def _resolve(self, event: Any) -> object:
        self._check_tag(event, f"{_CORE}str", *(_CORE + tag for tag in _SCALARS))
        text: str = event.value
        if event.tag in _TEXT_TAGS or (event.tag is None and not event.implicit[0]):
            return text
        wanted = None if event.tag is None else event.tag.removeprefix(_CORE)
        for tag, (form, convert) in _SCALARS.items():
            if wanted in {None, tag} and form.fullmatch(text):
                return self._convert(convert, text, event)
        if wanted is None:
            return text
        message = f"{text!r} at {_place(event)} is not of the type {wanted} that its tag names."
        raise Refused("syntax", message, "Remove the tag, or correct the value.", self._here())

    def _convert(self, convert: Callable[[str], object], text: str, event: Any) -> object:
        try:
            value = convert(text)
        except ValueError:
            # Python converts integers of at most 4,300 digits.
            digits = f"An integer of thousands of digits at {_place(event)}"
            raise not_json(digits, self._here()) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise not_json(f"The number {text} at {_place(event)}", self._here())
        return value


def _line_and_column(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _place(event: Any) -> str:
    line, column = _line_and_column(event)
    return f"line {line}, column {column}"


def _integer(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(text: str) -> float:
    return math.nan if text.lower().endswith(("inf", "nan")) else float(text)


_SCALARS: Mapping[str, tuple[re.Pattern[str], Callable[[str], object]]] = {
    "null": (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    "int": (re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), _integer),
    "float": (
        re.compile(
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
        _float,
    ),
}
_TAKE: Mapping[str, Callable[[_Builder, Any], None]] = {
    "DocumentStartEvent": _Builder.document,
    "MappingStartEvent": _Builder.start,
    "SequenceStartEvent": _Builder.start,
    "MappingEndEvent": _Builder.end,
    "SequenceEndEvent": _Builder.end,
    "ScalarEvent": _Builder.scalar,
    "AliasEvent": _Builder.alias,
}
