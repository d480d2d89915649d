"""What the documents point at is there: files, folders, and modules named by their paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
FOLDERS = "mesh|handlers|cli|local|tests|scripts|infra|schemas|examples"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./-]*\w)`")


def lost(document: Path, text: str) -> list[str]:
    """Where a document leads, in vain."""
    links = [where for where in LINK.findall(text) if ":" not in where]
    found = [(where, document.parent / where) for where in links]
    found += [(where, ROOT / where) for where in PATH.findall(text)]
    return [where for where, path in found if not path.exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_points_at_what_is_there(document):
    assert lost(document, document.read_text(encoding="utf-8")) == []


def test_what_is_not_there_is_found():
    text = "[a](docs/none.md#part), `mesh/none.py`, [b](https://none.example), [c](docs), `mesh`"

    assert lost(ROOT / "README.md", text) == ["docs/none.md", "mesh/none.py"]


def test_decisions_are_numbered_one_by_one_as_their_titles_say():
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))

    numbers = [int(decision.name.split("-")[0]) for decision in decisions]
    titles = [decision.read_text(encoding="utf-8").split(".")[0] for decision in decisions]

    assert numbers == list(range(1, len(decisions) + 1))
    assert titles == [f"# {number}" for number in numbers]
