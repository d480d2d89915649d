"""Digests of keys: the same answers as a dictionary of the keys, in memory and on disk."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.validation.seen import IN_MEMORY
from mesh.validation.seen_digests import SeenDigests
from mesh.validation.seen_runs import Filter, masks_of
from tests.thorough import examples

KEYS = st.lists(st.integers(0, 60).map(lambda n: b"s%d" % n if n % 3 else b"%d" % n), max_size=20)


@settings(max_examples=examples(60))
@given(st.lists(KEYS, max_size=8), st.integers(1, 60))
def test_the_first_row_of_each_key_is_told(blocks: list[list[bytes]], spilled: int) -> None:
    seen, told = SeenDigests(spilled), dict[bytes, int]()
    row = 1
    for keys in blocks:
        asked = sorted({*keys, b"s1", b"3"})
        assert seen.rows(asked) == [told.get(key) for key in asked]
        repeated = {}
        for at, key in enumerate(keys, row):
            first = told.setdefault(key, at)
            if first != at:
                repeated[at] = first
        rows = np.arange(row, row + len(keys), dtype=np.uint64)
        assert seen.first_rows(seen.seeds.digests(keys), rows) == repeated
        row += len(keys)


def test_a_text_and_a_number_that_are_written_alike_are_two_keys() -> None:
    seen = SeenDigests(IN_MEMORY)
    rows = np.array([1, 2], np.uint64)
    assert seen.first_rows(seen.seeds.digests([b"s5", b"5"]), rows) == {}
    assert seen.rows([b"5", b"s5", b"s6"]) == [2, 1, None]


def test_runs_that_became_one_tell_the_same() -> None:
    seen, told = SeenDigests(50), dict[bytes, int]()
    for start in range(0, 9_000, 300):
        keys = [b"s%d" % (number * 7 % 8_000) for number in range(start, start + 300)]
        rows = range(start + 1, start + 301)
        repeated = {}
        for key, row in zip(keys, rows, strict=True):
            if (first := told.setdefault(key, row)) != row:
                repeated[row] = first
        taken = seen.first_rows(seen.seeds.digests(keys), np.array(rows, np.uint64))
        assert taken == repeated
    assert seen.rows([b"s7", b"s1", b"sx"]) == [told[b"s7"], told[b"s1"], None]
    assert seen.runs < 10


@settings(max_examples=examples(60))
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=80), st.integers(1, 64))
def test_a_filter_knows_what_it_was_given_in_any_order(given: list[int], bits: int) -> None:
    highs = np.array(given, np.uint64)
    masks = masks_of(highs[::-1].copy())
    one, other = Filter(len(highs), bits), Filter(len(highs), bits)
    one.add(highs, masks)
    order = np.argsort(highs)
    other.add_sorted(highs[order], masks[order])
    asked = np.array([*given, *(number ^ 2**63 for number in given)], np.uint64)
    found = one.may_have(asked, masks_of(asked))
    assert one.may_have(highs, masks).all()
    assert (found == other.may_have(asked, masks_of(asked))).all()


def test_a_filter_knows_most_others_to_be_new() -> None:
    spread = np.arange(1, 2_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    known, new = spread[:1_000], spread[1_000:]
    one = Filter(len(known), 24)
    one.add(known, masks_of(known * known))
    assert one.may_have(new, masks_of(new * new)).mean() < 0.02
