"""A file of a hundred columns, the same every time."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

_COLUMNS = 100


def contract_document() -> dict[str, Any]:
    """Its contract: four kinds of columns in turn."""
    kinds: tuple[dict[str, Any], ...] = (
        {"logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]{2}[0-9]{4}$"}},
        {"logicalType": "integer", "logicalTypeOptions": {"minimum": 0, "maximum": 9999}},
        {"logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01, "minimum": 0}},
        {"logicalType": "date"},
    )
    properties = [
        {"name": f"c{number:02}", "required": True, **kinds[number % len(kinds)]}
        for number in range(_COLUMNS)
    ]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "wide",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "wide", "logicalType": "object", "properties": properties}],
    }


def write(folder: Path, count: int) -> dict[str, Path]:
    """Write it as CSV and JSON Lines, unless it is there; and the numbers of its bad rows."""
    paths = {kind: folder / f"wide-{count}.{kind}" for kind in ("csv", "jsonl", "bad")}
    if all(path.exists() for path in paths.values()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(2)  # noqa: S311 - data, not secrets
    names = [f"c{number:02}" for number in range(_COLUMNS)]
    bad = []
    with paths["csv"].open("w") as csv, paths["jsonl"].open("w") as jsonl:
        csv.write(",".join(names) + "\n")
        for row in range(1, count + 1):
            cells = [_cell(chance, number % 4) for number in range(_COLUMNS)]
            if row % 1000 == 0:
                bad.append(row)
                cells[row // 1000 % _COLUMNS] = "-1"
            csv.write(",".join(cells) + "\n")
            texts = (f'"{c}"' if i % 4 in (0, 3) else c for i, c in enumerate(cells))
            pairs = (f'"{name}": {text}' for name, text in zip(names, texts, strict=True))
            jsonl.write("{" + ", ".join(pairs) + "}\n")
    paths["bad"].write_text(json.dumps(bad), encoding="utf-8")
    return paths


def _cell(chance: random.Random, kind: int) -> str:
    number = chance.randrange(10_000)
    if kind == 0:
        return f"AB{number:04}"
    if kind == 1:
        return str(number)
    if kind == 2:
        return f"{number}.{chance.randrange(1, 10)}{chance.randrange(1, 10)}"
    return f"20{number % 30:02}-{number % 12 + 1:02}-{number % 28 + 1:02}"
