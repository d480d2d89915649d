"""Queries that the page offers: `*.kql` files, and those of Azure Monitor workbooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_WORKBOOK = "Notebook/1.0"
_QUERY, _GROUP = 3, 12


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedQuery:
    """A query by its name; `text` may hold a workbook's placeholders, such as `{Product}`."""

    name: str
    title: str
    group: str
    text: str


def saved_queries(folder: Path | None) -> list[dict[str, str]]:
    """The queries below a folder; what cannot be read is left out."""
    if folder is None:
        return []
    found = [query for path in sorted(folder.glob("*.json")) for query in _of_workbook(path)]
    found += [
        SavedQuery(
            name=str(path.relative_to(folder).with_suffix("")),
            title=path.stem.replace("-", " "),
            group=path.parent.name,
            text=path.read_text(encoding="utf-8"),
        )
        for path in sorted(folder.rglob("*.kql"))
    ]
    return [asdict(query) for query in found]


def _of_workbook(path: Path) -> Iterator[SavedQuery]:
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return
    if isinstance(book, dict) and book.get("version") == _WORKBOOK:
        yield from _walk(book.get("items", []), path.stem, path.stem)


def _walk(items: Any, book: str, group: str) -> Iterator[SavedQuery]:
    for item in items:
        content = item.get("content", {})
        if item.get("type") == _GROUP:
            title = str(content.get("title") or item.get("name"))
            yield from _walk(content.get("items", []), book, title)
        elif item.get("type") == _QUERY:
            name = str(item.get("name"))
            yield SavedQuery(
                name=f"{book}/{name}",
                title=str(content.get("title") or name),
                group=group,
                text=str(content["query"]),
            )
