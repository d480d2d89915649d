"""Files to drop, and an oracle that judges them: the rules of the contract, written once more.

It shares nothing with the mesh: rows are cut by the standard library's `csv`, rules are spelt out.
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = ["code", "name", "area"]
CODE = re.compile(r"[A-Z]{2}\Z", re.ASCII)
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z", re.ASCII)
MOST_BAD = 0.7
"""The share of bad rows that a product in split mode takes."""


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What must become of a file.

    Attributes:
        published: content of the accepted file; None when nothing may be published.
    """

    verdict: str
    rows: int
    rejected: int
    published: bytes | None


REJECTED_UNREAD = Opinion(verdict="rejected", rows=0, rejected=0, published=None)


def opinion(data: bytes, *, split: bool) -> Opinion:
    """Judge the content of a file of countries."""
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    if not rows or rows[0] != HEADER:
        return REJECTED_UNREAD
    lines = data.splitlines(keepends=True)
    seen: set[str] = set()
    good = []
    for row, line in zip(rows[1:], lines[1:], strict=True):
        if _is_good(row) and row[0] not in seen:
            seen.add(row[0])
            good.append(line)
    rejected = len(rows) - 1 - len(good)
    taken = not rejected or (split and rejected <= MOST_BAD * (len(rows) - 1))
    return Opinion(
        verdict="accepted" if taken else "rejected",
        rows=len(rows) - 1,
        rejected=rejected,
        published=b"".join([lines[0], *good]) if taken else None,
    )


def _is_good(row: Sequence[str]) -> bool:
    if len(row) != len(HEADER):
        return False
    code, name, area = row
    is_area = not area or (INTEGER.match(area) is not None and int(area) >= 0)
    return CODE.match(code) is not None and bool(name) and is_area


def some_file(chance: random.Random) -> bytes:
    """A file of countries, good or bad in one of many ways."""
    kind = chance.choices(("good", "bad", "header", "empty"), (60, 33, 4, 3))[0]
    if kind == "empty":
        return b""
    letters = [a + b for a in "ABCDEFGHIJ" for b in "KLMNOPQRST"]
    rows = [
        [code, chance.choice(("Land", "Côte d'Ivoire", "日本")), _area(chance)]
        for code in chance.sample(letters, chance.randint(1, 12))
    ]
    if kind == "bad":
        for row in chance.sample(rows, chance.randint(1, len(rows))):
            field, value = chance.choice(
                ((0, "xx"), (0, ""), (0, "ABC"), (1, ""), (2, "-1"), (2, "many"), (2, "1.5"))
            )
            row[field] = value
    header = ["code", "title"] if kind == "header" else HEADER
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def _area(chance: random.Random) -> str:
    return chance.choice(("", "0", str(chance.randint(1, 10**9))))
