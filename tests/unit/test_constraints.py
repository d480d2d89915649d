"""The exact versions that the tests run with are within what the requirements ask for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def read(*names: Path) -> list[Requirement]:
    lines = (
        line.partition("#")[0].strip() for name in names for line in name.read_text().splitlines()
    )
    return [Requirement(line) for line in lines if line]


def unmet(asked: Iterable[Requirement], exact: Iterable[Requirement]) -> list[str]:
    """The requirements that no exact version meets."""
    found = {one.name.lower(): next(iter(one.specifier)).version for one in exact}
    return [
        str(one)
        for one in asked
        if one.name.lower() not in found or found[one.name.lower()] not in one.specifier
    ]


def test_each_requirement_has_an_exact_version() -> None:
    asked, exact = read(*ROOT.glob("requirements*.txt")), read(ROOT / "constraints.txt")

    assert len(asked) > 50
    assert unmet(asked, exact) == []
    assert all(str(one.specifier).startswith("==") for one in exact)


def test_one_that_has_none_is_seen() -> None:
    asked = [Requirement("httpx>=0.28,<0.29"), Requirement("polars>=2"), Requirement("rich>=15")]
    exact = [Requirement("httpx==0.27.1"), Requirement("rich==15.1")]

    assert unmet(asked, exact) == ["httpx<0.29,>=0.28", "polars>=2"]
