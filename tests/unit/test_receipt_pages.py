"""What stands in a file is text in a page about it: no tag, link, cell or formula of its own."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.model.receipt_pages import markdown, page, page_html, violations_csv

HOSTILE = "<script>alert(1)</script> [a](http://e.example) | `x` **y** www.e.example =1+1"


def receipt(text: str, *, shown: int = 1, total: int = 1) -> dict[str, Any]:
    """A receipt with the same text in every place that a stranger can write to."""
    found = {
        "row": 1, "line": 2, "field": text, "rule": text, "value": text, "message": text,
    }  # fmt: skip
    return {
        "verdict": "rejected",
        "decidedAt": "2026-11-22T12:00:00Z",
        "file": {"name": text},
        "contract": {"id": text, "version": "1.0.0", "object": text},
        "counts": {
            "rows": 1200, "accepted": 0, "rejected": 1, "violations": total, "byRule": {text: 1},
        },
        "problems": [{"message": text, "remedy": text}],
        "warnings": [{"message": text, "remedy": text}],
        "violations": [found] * shown,
        "joins": {"drops": [text], "rows": 3},
        "correction": {"drop": text, "place": text},
    }  # fmt: skip


class Seen(HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(st.text())
@example(HOSTILE)
@example("</td></table><img src=x onerror=y>")
def test_html_holds_only_tags_of_ours(text: str) -> None:
    ours, seen = Seen(page_html(receipt("x"))), Seen(page_html(receipt(text)))

    assert seen.tags == ours.tags
    assert seen.attributes == ours.attributes


def test_html_says_it_all() -> None:
    texts = Seen(page_html(receipt(HOSTILE, shown=1, total=5))).texts

    assert texts.count(HOSTILE) == 5
    assert "4 more violations are not shown." in texts
    assert "1,200 rows: 0 good, 1 bad, 5 violations." in texts


@given(st.text())
@example(HOSTILE)
@example("a|b\\|c")
@example("\n\n# title\n")
def test_markdown_holds_only_marks_of_ours(text: str) -> None:
    lines = markdown(receipt(text)).split("\n")

    bare = [re.sub(r"\\.", "", line) for line in lines]
    assert not any(mark in line for line in bare for mark in "<>`[]&")
    assert len(lines) == len(markdown(receipt("x")).split("\n"))
    assert [line.count("|") for line in bare if line.startswith("|")] == [3, 3, 3, 7, 7, 7]
    assert not any(re.search(r"(?<!\\)://|www\.|(?<!\\)@", line.lower()) for line in lines)


@given(st.text())
@example("=cmd|' /C calc'!A0")
@example("  =1+1")
@example("@SUM(A1)")
@example("\t=1")
@example("\uff1d1")
def test_no_cell_of_the_table_is_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(violations_csv(receipt(text)["violations"]), newline="")))

    assert len(rows) == 2
    assert len(rows[1]) == 6
    for cell in rows[1][2:]:
        assert cell.lstrip()[:1] not in {*"=+-@\uff1d\uff0b\uff0d\uff20"} or not cell
        assert cell.removeprefix("'") == text or cell == text


@pytest.mark.parametrize("form", ["md", "html", "csv"])
def test_a_file_that_no_contract_was_found_for(form: Any) -> None:
    made = {**receipt("x", shown=0, total=0), "contract": {"id": "", "version": "", "object": ""}}

    text = page(made, form)

    assert ("no contract was found for it" in text) == (form != "csv")
