"""What rules about objects, properties and quality alike ask of a single value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from mesh.model.ecma_pattern import UnsupportedPatternError, compile_pattern
from mesh.model.odcs_problem import Problem


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number; Python takes true and false for numbers, JSON does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def pattern_problems(pattern: str, path: str) -> Iterator[Problem]:
    """What keeps a regular expression from being checked as the standards mean it."""
    try:
        compile_pattern(pattern)
    except UnsupportedPatternError as error:
        yield Problem(
            path,
            "contract.pattern",
            f"Pattern {pattern[:80]!r} cannot be checked as ECMA-262 means it: {error}.",
            "Write it without that construct; docs/contract-profile.md lists what is understood.",
        )
