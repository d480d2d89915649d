"""What a text can be: numbers as JSON writes them, dates, times, and formats with a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mesh.model.jdk_dates import parse

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
COMMA_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17}),[0-9]{1,18}", re.ASCII)

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d+)?", re.ASCII)
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)

TEMPORAL: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    # name: logical type, and its options
    "date": ("date", {}),
    "timestamp with an offset": ("timestamp", {}),
    "timestamp without an offset": ("timestamp", {"timezone": False}),
    "time": ("time", {}),
    **{
        layout: ("date" if "H" not in layout else "timestamp", {"format": layout})
        for layout in (
            "dd.MM.yyyy", "dd/MM/yyyy", "MM/dd/yyyy", "yyyy/MM/dd",
            "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm",
        )
    },
}  # fmt: skip

_NAMED: Mapping[str, re.Pattern[str]] = {
    "uuid": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE),
    "email": re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.ASCII),
    "uri": re.compile(
        r"https?://[A-Za-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~/?=&+,;:@!$'()*-]*)?", re.ASCII
    ),
    "ipv4": re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}", re.ASCII),
}
NAMED = tuple(_NAMED)
_CODES: Mapping[str, re.Pattern[str]] = {
    "[A-Z]": re.compile("[A-Z]+"),
    "[a-z]": re.compile("[a-z]+"),
    "[0-9]": re.compile("[0-9]+"),
    "[A-Z0-9]": re.compile("[A-Z0-9]+"),
}
CODES = tuple(_CODES)


def is_temporal(text: str, kind: str) -> bool:
    """Whether a text is of this kind of `TEMPORAL`; there is no 31 April."""
    match kind:
        case "time":
            return _TIME.fullmatch(text) is not None
        case "timestamp with an offset":
            return _RFC_3339.fullmatch(text) is not None and _is(text[:10], "yyyy-MM-dd")
        case "timestamp without an offset":
            return _LOCAL.fullmatch(text) is not None and _is(text[:10], "yyyy-MM-dd")
        case "date":
            return _is(text, "yyyy-MM-dd")
        case _:
            return _is(text, kind)


def is_named(text: str, name: str) -> bool:
    """Whether a text is of a format that JSON Schema names; rather too strict than too lax."""
    return _NAMED[name].fullmatch(text) is not None


def is_code(text: str, alphabet: str) -> bool:
    """Whether a text has only letters of this alphabet."""
    return _CODES[alphabet].fullmatch(text) is not None


def _is(text: str, layout: str) -> bool:
    return len(text) == len(layout) and text.isascii() and parse(text, layout) is not None
