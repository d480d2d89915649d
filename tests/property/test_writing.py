"""Expressions for texts match exactly those of the right length, however they are written."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mesh.validation.writing import Writing
from tests.thorough import examples

QUOTED = Writing(plain=frozenset(range(1, 128)) - {0x22, 0x0A}, escaped=(rb'""',))
JSON = Writing(plain=frozenset(range(0x20, 0x80)) - {0x22, 0x5C}, escaped=(rb'\\["\\/bfnrt]',))
BARE = Writing(plain=frozenset(range(1, 128)) - {0x22, 0x0A, 0x0D, 0x2C})
CHARS = st.sampled_from(("a", "é", "€", "😀", " ", '"'))


@settings(max_examples=examples(300))
@given(
    st.lists(CHARS, max_size=40).map("".join),
    st.integers(1, 6),
    st.one_of(st.none(), st.integers(0, 36)),
    st.sampled_from((QUOTED, JSON, BARE)),
)
@example('"' * 16, 1, 16, QUOTED)
@example('a"' * 9, 1, 17, JSON)
def test_a_text_is_matched_if_its_length_is_right(
    text: str, least: int, more: int | None, writing: Writing
) -> None:
    most = None if more is None else least + more
    if writing is BARE:
        text = text.replace('"', "'")
    written = text.replace('"', '""' if writing is QUOTED else '\\"').encode()
    # What follows tells the end of a text, as the closing quote or the separator does.
    found = re.compile(writing.any_text(least, most) + b"\n").fullmatch(written + b"\n")
    assert bool(found) == (least <= len(text) <= (len(text) if most is None else most))
