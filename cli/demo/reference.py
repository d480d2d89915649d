"""The reference mesh of `examples/`: its declarations, its files, and what is expected of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"

PRODUCTS = (
    "geography/countries",
    "geography/regions",
    "aerodromes/runways",
    "aerodromes/frequencies",
    "aerodromes/navaids",
    "aerodromes/navaid-coverage",
)
"""In this order: a composite comes after its inputs."""

COMPOSITE = "aerodromes/navaid-coverage"
COMPOSITE_INPUTS = ("geography/countries", "geography/regions", "aerodromes/navaids")
"""In the order of the options of its `compose.py`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleFile:
    """A file to drop.

    Attributes:
        teaches: what there is to learn from it.
        verdict: that the mesh is expected to give.
        rules: that it is expected to name, as they stand in the receipt.
    """

    path: Path
    product: str
    object_name: str
    teaches: str
    verdict: str
    rules: frozenset[str]

    @property
    def blob(self) -> str:
        """Where it is dropped, within the landing zone."""
        return f"{self.product}/v1/{self.object_name}/{self.path.name}"


def good_files() -> list[ExampleFile]:
    """The files that are expected to be accepted; the composite makes its own."""
    return [
        ExampleFile(
            path=path,
            product=product,
            object_name=product.partition("/")[2],
            teaches="A good file.",
            verdict="accepted",
            rules=frozenset(),
        )
        for product in PRODUCTS
        if product != COMPOSITE
        for path in sorted((EXAMPLES / product / "good").iterdir())
    ]


def bad_files() -> list[ExampleFile]:
    """The files that each teach one kind of mistake (`examples/bad-files.json`)."""
    told = json.loads((EXAMPLES / "bad-files.json").read_text(encoding="utf-8"))
    return [
        ExampleFile(
            path=EXAMPLES / bad["file"],
            product=bad["product"],
            object_name=bad["object"],
            teaches=bad["teaches"],
            verdict=bad["verdict"],
            rules=frozenset(bad["problems"]) | {found["rule"] for found in bad["violations"]},
        )
        for bad in told
    ]
