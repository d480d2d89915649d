"""What the servers of a contract say of how its delimited files are written.

ODCS has no file dialect, but servers that hold files have a `format`, a `delimiter` and, since 3.2,
an `encoding`. `fileDialect` goes before them; what neither says is RFC 4180 in UTF-8.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.model.contract_profile import DIALECT, custom_value
from mesh.model.odcs_problem import Problem

_OF_FILES = frozenset({"azure", "custom", "glue", "local", "s3", "sftp"})
_DELIMITED = frozenset({"csv", "tsv", "txt"})
ENCODINGS = (
    "Use utf-8, us-ascii, a single-byte encoding such as iso-8859-1 or windows-1252, or utf-16."
)
_NAMED = {"comma": ",", "pipe": "|", "semicolon": ";", "tab": "\t", "\\t": "\t"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """A setting of `fileDialect`, as one server says it: its `value` as files are read by it."""

    pointer: str
    setting: str
    value: str
    written: str


def server_dialect(document: Mapping[str, Any]) -> dict[str, str]:
    """The settings of `fileDialect` that all servers of delimited files agree on."""
    said = [one for one in _settings(document) if _is_fit(one)]
    return {
        one.setting: one.value
        for one in said
        if len({_same(other) for other in said if other.setting == one.setting}) == 1
    }


def server_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What servers say that no file can be read by, or that others contradict."""
    own = custom_value(document, DIALECT)
    said = list(_settings(document))
    for index, one in enumerate(said):
        if not _is_fit(one):
            yield _unfit(one)
        elif one.setting in own:
            told = str(own[one.setting])
            if _same(one) != _comparable(one.setting, told):
                yield _problem(
                    one,
                    f"the {DIALECT} has the {one.setting} {told!r}, this server {one.written!r}",
                    "Correct one of them.",
                )
        else:
            others = (item for item in said[:index] if item.setting == one.setting)
            other = next((item for item in others if _same(item) != _same(one)), None)
            if other is not None:
                yield _problem(
                    one,
                    f"another server has the {one.setting} {other.written!r}, and this one "
                    f"{one.written!r}",
                    f"Say in {DIALECT} which of them files are dropped with.",
                )


def is_readable(encoding: str) -> bool:
    """Whether it is a text encoding whose lines can be cut, or one that is recoded first."""
    try:
        name = codecs.lookup(encoding).name
        ascii_compatible = bytes(range(128)).decode(encoding) == "".join(map(chr, range(128)))
    except (LookupError, UnicodeError, TypeError):
        return encoding.lower().replace("_", "-") in {"utf-16", "utf-16le", "utf-16be"}
    return ascii_compatible or name.startswith("utf-16")


def _settings(document: Mapping[str, Any]) -> Iterator[_Said]:
    servers = document.get("servers")
    for index, server in enumerate(servers if isinstance(servers, list) else ()):
        if not isinstance(server, Mapping) or str(server.get("type")) not in _OF_FILES:
            continue
        if str(server.get("format") or "").lower() not in _DELIMITED:
            continue
        for key, setting in (("delimiter", "separator"), ("encoding", "encoding")):
            text = server.get(key)
            if isinstance(text, str) and text:
                value = _NAMED.get(text.lower(), text) if key == "delimiter" else text
                pointer = f"/servers/{index}/{key}"
                yield _Said(pointer=pointer, setting=setting, value=value, written=text)


def _is_fit(one: _Said) -> bool:
    if one.setting == "encoding":
        return is_readable(one.value)
    return len(one.value) == 1 and one.value.isascii() and one.value not in '\r\n"'


def _unfit(one: _Said) -> Problem:
    if one.setting == "encoding":
        return _problem(one, f"files in encoding {one.written!r} cannot be read", ENCODINGS)
    what = f"{one.written!r} cannot part the cells of a line"
    return _problem(one, what, "Write one ASCII character, or `tab`.")


def _same(one: _Said) -> str:
    return _comparable(one.setting, one.value)


def _comparable(setting: str, value: str) -> str:
    if setting != "encoding":
        return value
    try:
        return codecs.lookup(value).name
    except LookupError:
        return value.lower()


def _problem(one: _Said, what: str, remedy: str) -> Problem:
    return Problem(one.pointer, "contract.server", f"{what[0].upper()}{what[1:]}.", remedy)
