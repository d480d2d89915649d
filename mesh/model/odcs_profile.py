"""Whether the custom properties of `docs/contract-profile.md` are set as they may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.contract_profile import ACCEPTANCE, DIALECT, REFERENCE, is_profile_property
from mesh.model.expectation import CALENDAR
from mesh.model.file_set import FILE_SET
from mesh.model.odcs_problem import Problem
from mesh.model.pointers import pointer
from mesh.model.server_dialect import ENCODINGS, is_readable


def profile_problems(
    element: Mapping[str, Any],
    path: str,
    profile: Mapping[str, Any],
    names: tuple[str, ...] = (DIALECT, ACCEPTANCE, FILE_SET),
) -> Iterator[Problem]:
    """What is wrong with the profile's custom properties of a contract, object or relationship."""
    import jsonschema

    entries = element.get("customProperties")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        for name in names:
            if not is_profile_property(entry, name):
                continue
            at = f"{path}/customProperties/{index}/value"
            schema = {**profile, "$ref": f"#/$defs/{name}"}
            value = entry.get("value")
            for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
                where = at + "".join(f"/{part}" for part in error.absolute_path)
                yield Problem(
                    where,
                    f"profile.{name}",
                    f"{error.message}.",
                    "docs/contract-profile.md lists the settings and their values.",
                )
            if name == DIALECT and isinstance(value, Mapping):
                yield from _dialect_problems(value, at)
            if name == FILE_SET and isinstance(value, Mapping):
                yield from _set_problems(value, at)


def _dialect_problems(value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    marks = [value.get("separator", ","), value.get("quote", '"'), value.get("escape")]
    given = [mark for mark in marks if mark is not None]
    if len(set(given)) != len(given):
        yield Problem(
            path,
            "profile.fileDialect",
            "Separator, quote and escape must differ from each other.",
            "A doubled quote needs no escape character: leave `escape` out.",
        )
    encoding = value.get("encoding")
    if isinstance(encoding, str) and not is_readable(encoding):
        yield Problem(
            f"{path}/encoding",
            "profile.encoding",
            f"Files in encoding {encoding!r} cannot be read.",
            ENCODINGS,
        )


def _set_problems(value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    ways = [name for name in ("members", "count", "manifest") if name in value]
    if len(ways) != 1:
        yield Problem(
            path,
            "profile.fileSet",
            f"A set is told by one of members, count and manifest; this one has "
            f"{' and '.join(ways) or 'none'}.",
            "Name the files, say how many there are, or name the file that lists them.",
        )
    elif "members" in value and "pattern" in value:
        yield Problem(
            f"{path}/pattern",
            "profile.fileSet",
            "The members have names, so a pattern says nothing.",
            "Leave `pattern` out, or write it as one of the members.",
        )


_OF_OBJECTS = (DIALECT, ACCEPTANCE, FILE_SET)
_PLACES = (
    (re.compile(r""), (*_OF_OBJECTS, CALENDAR)),
    (re.compile(r"/schema/\d+"), _OF_OBJECTS),
    (re.compile(r".*/relationships/\d+"), (REFERENCE,)),
)
_NAMES = {name.lower(): name for _, names in _PLACES for name in names}


def place_problems(node: Any, path: str = "") -> Iterator[Problem]:
    """The profile's custom properties where nothing reads them: misspelt, misplaced, or twice."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from place_problems(item, f"{path}/{index}")
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        if key == "customProperties":
            yield from _placed(value, path)
        else:
            yield from place_problems(value, pointer(path, key))


def _placed(entries: Any, path: str) -> Iterator[Problem]:
    read = next((names for place, names in _PLACES if place.fullmatch(path)), ())
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        said = entry.get("property") if isinstance(entry, Mapping) else None
        name = _NAMES.get(said.lower()) if isinstance(said, str) else None
        if name is None or not is_profile_property(entry, str(said)):
            continue
        why = ""
        if said != name:
            why = f"is written {name}"
        elif name not in read:
            where = " and ".join(_WHERE[place.pattern] for place, names in _PLACES if name in names)
            why = f"is read in customProperties of {where} only"
        elif name in seen:
            why = "stands there twice, and the first counts"
        seen.add(name)
        if why:
            yield Problem(
                f"{path}/customProperties/{index}/property",
                "profile.place",
                f"{said} {why}: nothing would be read of this one.",
                "docs/contract-profile.md lists the settings, and where they stand.",
            )


_WHERE = {
    "": "the contract",
    r"/schema/\d+": "its objects",
    r".*/relationships/\d+": "relationships",
}
