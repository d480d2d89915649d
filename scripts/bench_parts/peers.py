"""Other validators on the same files: each names the rows that it refuses."""

from __future__ import annotations

import csv
import importlib.util
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGES = ("polars", "duckdb", "jsonschema-rs", "fastjsonschema", "pandera[polars]")
Refused = Callable[[Path, int], set[int]]
_NUMBERS = {"number": float, "integer": int}


def install(folder: Path) -> None:
    """Put the peers where nothing of the project finds them, and import them from there."""
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder)]
        subprocess.run([*command, *PACKAGES], check=True)
    sys.path.append(str(folder))


def peers(schema: Mapping[str, Any], kind: str) -> dict[str, Refused]:
    """Functions from a file and a number of rows to the rows (from 1) that a peer refuses."""
    checks: dict[str, Callable[[Any], bool]] = {"jsonschema as documented": _jsonschema(schema)}
    if importlib.util.find_spec("jsonschema_rs"):
        made = import_module("jsonschema_rs").validator_for(schema, validate_formats=True)
        checks["jsonschema-rs"] = made.is_valid
    if importlib.util.find_spec("fastjsonschema"):
        checks["fastjsonschema"] = _fastjsonschema(schema)
    rows = _csv_rows(schema) if kind == "csv" else _json_rows
    found: dict[str, Refused] = {name: _by_row(rows, check) for name, check in checks.items()}
    if kind == "csv" and "order_id" in schema["properties"] and importlib.util.find_spec("pandera"):
        found["pandera on Polars"] = _pandera
    return found


def _by_row(rows: Callable[[Path], Iterator[Any]], is_valid: Callable[[Any], bool]) -> Refused:
    def refused(path: Path, count: int) -> set[int]:
        numbered = enumerate(itertools.islice(rows(path), count), start=1)
        return {number for number, row in numbered if not is_valid(row)}

    return refused


def _jsonschema(schema: Mapping[str, Any]) -> Callable[[Any], bool]:
    from jsonschema import Draft202012Validator

    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(schema, format_checker=checker).is_valid


def _fastjsonschema(schema: Mapping[str, Any]) -> Callable[[Any], bool]:
    fastjsonschema = import_module("fastjsonschema")
    validate = fastjsonschema.compile(
        {**schema, "$schema": "http://json-schema.org/draft-07/schema"}
    )

    def is_valid(row: Any) -> bool:
        try:
            validate(row)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return is_valid


def _json_rows(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from map(json.loads, file)


def _csv_rows(schema: Mapping[str, Any]) -> Callable[[Path], Iterator[Any]]:
    types = {
        name: {item["type"]} if isinstance(item["type"], str) else set(item["type"])
        for name, item in schema["properties"].items()
    }
    reads = {
        name: next((_NUMBERS[kind] for kind in ("number", "integer") if kind in kinds), None)
        for name, kinds in types.items()
    }

    def read(name: str, text: str) -> Any:
        if not text:
            return None
        if "boolean" in types[name]:
            return {"true": True, "false": False}.get(text, text)
        convert = reads[name]
        try:
            return convert(text) if convert else text
        except ValueError:
            return text

    def rows(path: Path) -> Iterator[Any]:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                values = {name: read(name, text) for name, text in row.items()}
                yield {
                    name: value
                    for name, value in values.items()
                    if value is not None or "null" in types[name]
                }

    return rows


def _pandera(path: Path, count: int) -> set[int]:
    """The contract of the orders, written once more by hand, over text."""
    pa, pl = import_module("pandera.polars"), import_module("polars")
    refusal: type[Any] = import_module("pandera.errors").SchemaErrors
    date = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"  # the orders have no other days
    patterns = {
        "order_id": r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
        "customer_id": r"^C[0-9]{8}$",
        "ordered_at": rf"^{date}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$",
        "status": r"^(new|paid|packed|shipped|delivered|returned)$",
        "currency": r"^.{3}$",
        "amount": r"^\d{1,5}(\.\d{1,2})?$",
        "quantity": r"^([1-9]\d{0,2}|1000)$",
        "email": r"^.*@",
        "country": r"^[A-Z]{2}$",
        "ship_date": rf"^{date}$",
        "express": r"^(true|false)$",
        "note": r"^.{0,60}$",
    }
    free = {"ship_date", "note"}
    columns = {
        name: pa.Column(pl.String, pa.Check.str_matches(text), nullable=name in free)
        for name, text in patterns.items()
    }
    columns["order_id"].unique = True
    frame = pl.read_csv(path, infer_schema=False, n_rows=count)
    try:
        pa.DataFrameSchema(columns).validate(frame, lazy=True)
    except refusal as errors:
        return {int(row) + 1 for row in errors.failure_cases["index"] if row is not None}
    return set()
