"""Make the coverage of countries with navigation aids from what three products have published.

The job of a domain, not of the mesh: it needs nothing but Python and the files. It is run when the
mesh says that all inputs of the composite have published (`mesh.composite.inputs-ready`):

    python compose.py --countries FILE --regions FILE --navaids FILE --output coverage.csv

Each FILE is CSV with a header, or JSON Lines, as its product's contract describes it.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

COLUMNS = (
    "iso_country",
    "country",
    "continent",
    "regions",
    "navaids",
    "directional",
    "distance_measuring",
    "navaids_per_region",
)
DIRECTIONAL = frozenset({"VOR", "VOR-DME", "VORTAC", "TACAN"})
DISTANCE_MEASURING = frozenset({"DME", "NDB-DME", "VOR-DME", "VORTAC", "TACAN"})

Record = Mapping[str, Any]


def coverage(
    countries: Iterable[Record], regions: Iterable[Record], navaids: Iterable[Record]
) -> Iterator[dict[str, Any]]:
    """One record per country, in the order of their codes."""
    region_count = Counter(region["iso_country"] for region in regions)
    kinds = Counter((navaid["iso_country"], navaid["type"]) for navaid in navaids)
    for country in sorted(countries, key=lambda country: country["code"]):
        code = country["code"]
        of_country = {kind: count for (owner, kind), count in kinds.items() if owner == code}
        total, parts = sum(of_country.values()), region_count[code]
        yield {
            "iso_country": code,
            "country": country["name"],
            "continent": country["continent"],
            "regions": parts,
            "navaids": total,
            "directional": _sum(of_country, DIRECTIONAL),
            "distance_measuring": _sum(of_country, DISTANCE_MEASURING),
            "navaids_per_region": round(total / parts, 2) if parts else None,
        }


def read(path: Path) -> Iterator[Record]:
    """The records of a CSV or JSON Lines file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix == ".jsonl":
            yield from (json.loads(line) for line in file if line.strip())
        else:
            yield from csv.DictReader(file)


def write(path: Path, records: Iterable[Record]) -> None:
    """Write records as CSV, with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def main(arguments: list[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description="Make the coverage from what was published.")
    for name in ("countries", "regions", "navaids", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE")
    chosen = parser.parse_args(arguments)
    records = coverage(read(chosen.countries), read(chosen.regions), read(chosen.navaids))
    write(chosen.output, records)


def _sum(counts: Mapping[str, int], kinds: frozenset[str]) -> int:
    return sum(count for kind, count in counts.items() if kind in kinds)


if __name__ == "__main__":
    main()
