"""A finding about a contract before it knows the file."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """Where, which rule, what is wrong, what to do."""

    path: str
    rule: str
    message: str
    remedy: str
