"""Makes the orders that the engine is measured with: the same ones every time."""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

COLUMNS = (
    "order_id",
    "customer_id",
    "ordered_at",
    "status",
    "currency",
    "amount",
    "quantity",
    "email",
    "country",
    "ship_date",
    "express",
    "note",
)
_STATUS = ("new", "paid", "packed", "shipped", "delivered", "returned")
_CURRENCIES = ("EUR", "USD", "GBP", "CHF", "NOK")
_COUNTRIES = ("DE", "FR", "NL", "NO", "CH", "GB", "US", "NA")
_NOTES = (
    "",
    "leave at the door",
    "call before delivery, second floor",
    "Lieferung bitte an die Nachbarin, Frau Müller",
    'gift wrap "blue" please',
    "fragile",
)
BAD_SHARE = 0.001
_GROUP = 1 << 17


def contract_document() -> dict[str, Any]:
    """The contract of the orders."""

    def string(name: str, **options: Any) -> dict[str, Any]:
        return {"name": name, "logicalType": "string", "logicalTypeOptions": options}

    properties: list[dict[str, Any]] = [
        {**string("order_id", format="uuid"), "primaryKey": True},
        {**string("customer_id", pattern="^C[0-9]{8}$"), "required": True},
        {"name": "ordered_at", "logicalType": "timestamp", "required": True},
        {**string("status", pattern=f"^({'|'.join(_STATUS)})$"), "required": True},
        {**string("currency", minLength=3, maxLength=3), "required": True},
        {
            "name": "amount",
            "logicalType": "number",
            "required": True,
            "logicalTypeOptions": {"minimum": 0, "maximum": 100000, "multipleOf": 0.01},
        },
        {
            "name": "quantity",
            "logicalType": "integer",
            "required": True,
            "logicalTypeOptions": {"minimum": 1, "maximum": 1000},
        },
        {**string("email", format="email"), "required": True},
        {**string("country", pattern="^[A-Z]{2}$"), "required": True},
        {"name": "ship_date", "logicalType": "date"},
        {"name": "express", "logicalType": "boolean", "required": True},
        string("note", maxLength=60),
    ]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "orders",
        "version": "1.0.0",
        "status": "active",
        "schema": [{"name": "orders", "logicalType": "object", "properties": properties}],
    }


def _order(chance: random.Random) -> dict[str, Any]:
    day = chance.randrange(1, 29)
    month = chance.randrange(1, 13)
    return {
        "order_id": str(uuid.UUID(int=chance.getrandbits(128))),
        "customer_id": f"C{chance.randrange(10**8):08d}",
        "ordered_at": f"2026-{month:02d}-{day:02d}T{chance.randrange(24):02d}:"
        f"{chance.randrange(60):02d}:{chance.randrange(60):02d}Z",
        "status": chance.choice(_STATUS),
        "currency": chance.choice(_CURRENCIES),
        "amount": Decimal(chance.randrange(1, 1_000_000)) / 100,
        "quantity": chance.randrange(1, 50),
        "email": f"customer{chance.randrange(10**6)}@example.com",
        "country": chance.choice(_COUNTRIES),
        "ship_date": None if chance.random() < 0.1 else f"2026-{month:02d}-{day:02d}",
        "express": chance.random() < 0.3,
        "note": chance.choice(_NOTES) or None,
    }


_SPOILED: tuple[tuple[str, Any], ...] = (
    ("order_id", "no-uuid"),
    ("customer_id", "C123"),
    ("ordered_at", "2026-02-30T12:00:00Z"),
    ("status", "lost"),
    ("currency", "EURO"),
    ("amount", Decimal("19.999")),
    ("quantity", 0),
    ("email", "nobody"),
    ("country", None),
    ("note", "x" * 61),
)


def orders(
    count: int, seed: int = 1, bad_share: float = BAD_SHARE
) -> Iterator[tuple[dict[str, Any], str | None]]:
    """So many orders, each with the field that is wrong in it, if one is."""
    chance = random.Random(seed)  # noqa: S311 - data, not secrets
    every = round(1 / bad_share)
    for number in range(count):
        order = _order(chance)
        spoiled = None
        if number % every == every - 1:
            spoiled, value = _SPOILED[number // every % len(_SPOILED)]
            order[spoiled] = value
        yield order, spoiled


def write(folder: Path, count: int, bad_share: float = BAD_SHARE) -> dict[str, Path]:
    """Write the orders as CSV and JSON Lines, unless they are there; and the bad rows' numbers."""
    paths = {kind: folder / f"orders-{count}.{kind}" for kind in ("csv", "jsonl", "bad")}
    if all(path.exists() for path in paths.values()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    bad: dict[int, str] = {}
    with (
        paths["csv"].open("w", encoding="utf-8", newline="") as csv,
        paths["jsonl"].open("w", encoding="utf-8") as jsonl,
    ):
        csv.write(",".join(COLUMNS) + "\n")
        for row, (order, spoiled) in enumerate(orders(count, bad_share=bad_share), start=1):
            csv.write(line(order))
            parts = (f'"{name}": {_json(order[name])}' for name in COLUMNS)
            jsonl.write("{" + ", ".join(parts) + "}\n")
            if spoiled:
                bad[row] = spoiled
    paths["bad"].write_text(json.dumps(bad), encoding="utf-8")
    return paths


def line(order: dict[str, Any]) -> str:
    """An order as a line of CSV."""
    return ",".join(_cell(order[name]) for name in COLUMNS) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def _json(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def write_parquet(folder: Path, count: int) -> Path:
    """Write the orders as Parquet, typed, unless they are there.

    A timestamp that is none cannot stand there; null takes its place.
    """
    path = folder / f"orders-{count}.parquet"
    if path.exists():
        return path
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        "ordered_at": pa.timestamp("us", "UTC"), "amount": pa.float64(), "quantity": pa.int32(),
        "ship_date": pa.date32(), "express": pa.bool_(),
    }  # fmt: skip
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    made = (_typed(order, spoiled) for order, spoiled in orders(count))
    with parquet.ParquetWriter(path, schema) as writer:
        while rows := list(islice(made, _GROUP)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return path


def _typed(order: dict[str, Any], spoiled: str | None) -> dict[str, Any]:
    at, day = order["ordered_at"], order["ship_date"]
    return {
        **order,
        "ordered_at": None if spoiled == "ordered_at" else dt.datetime.fromisoformat(at),
        "amount": float(order["amount"]),
        "ship_date": None if day is None else dt.date.fromisoformat(day),
    }
