"""How much is tried of what has no end: a share of it each time, all of it where time allows.

What is drawn differs from run to run, so the share adds up, but for CI, which draws the same for a
change as for the one before; `MESH_THOROUGH=1` tries all at once, as the nightly workflow does.
"""

from __future__ import annotations

import os

THOROUGH = os.environ.get("MESH_THOROUGH", "") not in {"", "0"}
_SHARE = 4
_FEWEST = 5


def examples(full: int) -> int:
    """How many of so many examples are tried."""
    return full if THOROUGH else max(_FEWEST, full // _SHARE)
