"""Whether the custom properties of `docs/contract-profile.md` are set as they may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh.model.contract_profile import ACCEPTANCE, DIALECT, is_profile_property
from mesh.model.file_set import FILE_SET
from mesh.model.odcs_problem import Problem
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
