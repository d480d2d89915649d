"""What an output port of ODPS says about its end.

ODPS 1.1 has `deprecated` on a port. When the port ends, and how to move, no version of the standard
says; custom properties of the port do, and in 1.0 of `deprecated` too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from mesh.model.product import Deprecation

DEPRECATED, SUNSET, MIGRATION = "deprecated", "deprecationSunset", "deprecationMigration"

_URL = re.compile(r"[!-~]{1,2000}")

Note = Callable[[str, str, str], None]
"""Notes what is wrong: place, message, remedy."""


def deprecation_of(entry: Mapping[str, Any], path: str, note: Note) -> Deprecation | None:
    """What a port says; None when it is not deprecated. What makes no sense is noted, and absent.

    Args:
        path: of the port in the document.
    """
    said: dict[str, tuple[Any, str]] = {}
    found = entry.get("customProperties")
    for index, custom in enumerate(found if isinstance(found, list) else ()):
        if isinstance(custom, dict) and isinstance(custom.get("property"), str):
            place = f"{path}/customProperties/{index}/value"
            said[custom["property"]] = (custom.get("value"), place)
    value, place = said.get(DEPRECATED, (False, ""))
    if not isinstance(value, bool):
        note(place, f"{DEPRECATED} is {value!r}.", "Write true, or leave it out.")
    sunset, migration = _sunset(said, note), _migration(said, note)
    is_deprecated = entry.get(DEPRECATED) is True or value is True
    if not (is_deprecated or sunset or migration):
        return None
    return Deprecation(sunset=sunset, migration=migration)


def _sunset(said: Mapping[str, tuple[Any, str]], note: Note) -> datetime | None:
    if SUNSET not in said:
        return None
    value, place = said[SUNSET]
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    note(place, f"{SUNSET} is {value!r}, no time.", "Write it as '2027-03-01T00:00:00Z'.")
    return None


def _migration(said: Mapping[str, tuple[Any, str]], note: Note) -> str | None:
    if MIGRATION not in said:
        return None
    value, place = said[MIGRATION]
    try:
        parts = urlsplit(value if isinstance(value, str) and _URL.fullmatch(value) else "")
        if parts.scheme == "https" and parts.hostname:
            return str(value)
    except ValueError:
        pass
    note(place, f"{MIGRATION} is {value!r}, no URL.", "Write where to read how to move: https://….")
    return None
