"""Each target of `scripts/fuzz` with its seeds, and with a few bytes of them changed."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import targets

TARGETS = targets()
_CHANGED = 12


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_bears_its_seeds_and_what_is_like_them(name: str) -> None:
    chance = random.Random(name)
    for seed in TARGETS[name].seeds:
        TARGETS[name].run(seed)
        for _ in range(_CHANGED // len(TARGETS[name].seeds)):
            data = bytearray(seed)
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            TARGETS[name].run(bytes(data))
