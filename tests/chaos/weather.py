"""How often something goes wrong in a history in memory."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(kw_only=True)
class Weather:
    """How often something happens, per effect or per step.

    Attributes:
        kill: a worker dies at an effect.
        fail: a call is told to have failed, whether it took effect or not.
        twice: the SDK makes a call again.
        crowd: several messages are worked on at once.
        skew: the workers' clock jumps.
        aside: an attempt goes on aside, of which one in three ends there with its process.
    """

    kill: float
    fail: float
    twice: float
    crowd: float
    skew: float
    aside: float

    @classmethod
    def of(cls, chance: random.Random) -> Weather:
        """Calm on some days, terrible on others."""
        return cls(
            kill=chance.choice((0, 0.005, 0.02, 0.05)),
            fail=chance.choice((0, 0.005, 0.02)),
            twice=chance.choice((0, 0.02)),
            crowd=chance.choice((0, 0.1, 0.4)),
            skew=chance.choice((0, 0.02)),
            aside=chance.choice((0, 0.05, 0.3)),
        )


CALM = Weather(kill=0, fail=0, twice=0, crowd=0, skew=0, aside=0)
