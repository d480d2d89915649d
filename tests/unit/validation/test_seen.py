"""Keys in memory and on disk: the same answers as a dictionary of the keys themselves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.validation.seen import Seen
from tests.thorough import examples

KEYS = st.lists(st.integers(0, 40).map(lambda number: b"%d" % number), max_size=12)


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=8), st.integers(1, 60))
def test_the_first_row_of_a_key_is_told_however_many_there_are(
    blocks: list[tuple[bool, list[bytes]]], in_memory: int
) -> None:
    seen, told = Seen(in_memory), dict[bytes, int]()
    row = 1
    for at_once, keys in blocks:
        new = len(set(keys)) == len(keys) and told.keys().isdisjoint(keys)
        # A filter, or a hash, may only err to the side of looking again.
        if at_once and keys and seen.add_new(keys, row):
            assert new
            told.update(zip(keys, range(row, row + len(keys)), strict=True))
        else:
            assert not (at_once and keys and new)
            for at, key in enumerate(keys):
                assert seen.add(key, row + at) == told.get(key)
                told.setdefault(key, row + at)
        row += len(keys)


def test_a_repeated_key_is_found_among_those_on_disk() -> None:
    seen = Seen(in_memory=1000)
    for start in range(0, 10_000, 500):
        assert seen.add_new([b"%d" % number for number in range(start, start + 500)], start)
    assert not seen.add_new([b"x", b"17"], 10_000)
    assert seen.add(b"17", 10_001) == 17
    assert seen.add(b"x", 10_002) is None
    assert seen.add(b"x", 10_003) == 10_002


def test_whether_a_key_is_there_is_told_of_any_number() -> None:
    seen = Seen(in_memory=1000)
    for start in range(0, 10_000, 500):
        seen.add_new([b"%d" % number for number in range(start, start + 500)], start)
    seen.add(b"17", 10_000)
    seen.add(b"x" * 100, 10_001)

    keys = [b"%d" % number for number in range(20_000)]
    assert seen.unknown(keys) == set(keys[10_000:])
    assert seen.unknown([b"x" * 100, b"x" * 99]) == {b"x" * 99}


@settings(max_examples=examples(60))
@given(st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=8))
def test_keys_are_asked_for_and_taken_many_at_once(blocks: list[list[int]]) -> None:
    seen, told = Seen(in_memory=8), dict[bytes, int]()
    for block, numbers in enumerate(blocks):
        keys = [b"%d" % number * (40 if number % 7 == 0 else 1) for number in numbers]

        assert seen.firsts(keys) == [told.get(key) for key in keys]

        new = {key: 100 * block + at for at, key in enumerate(keys) if key not in told}
        seen.take(list(new), list(new.values()))
        told |= new
