"""Other validators on the same files: each names the rows that it refuses.

`datacontract test` counts failed checks and names no rows; it is installed by itself, for it brings
versions of its own.
"""

from __future__ import annotations

import csv
import importlib.util
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGES = ("polars", "duckdb", "jsonschema-rs", "fastjsonschema", "pandera[polars]")
Refused = Callable[[Path, int], set[int]]
_PATIENCE = 1200
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
    if importlib.util.find_spec("pandera"):
        names = tuple(schema["properties"])
        found["pandera on Polars, by hand"] = partial(_pandera, names, kind)
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


_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])"  # the files have no other days
_ORDERS = {
    "order_id": r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
    "customer_id": r"^C[0-9]{8}$",
    "ordered_at": rf"^{_DATE}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$",
    "status": r"^(new|paid|packed|shipped|delivered|returned)$",
    "currency": r"^.{3}$",
    "amount": r"^\d{1,5}(\.\d{1,2})?$",
    "quantity": r"^([1-9]\d{0,2}|1000)$",
    "email": r"^.*@",
    "country": r"^[A-Z]{2}$",
    "ship_date": rf"^{_DATE}$",
    "express": r"^(true|false)$",
    "note": r"^.{0,60}$",
}
_WIDE = (r"^[A-Z]{2}[0-9]{4}$", r"^[0-9]{1,4}$", r"^[0-9]+(\.[0-9]{1,2})?$", rf"^{_DATE}$")


def _pandera(names: Sequence[str], kind: str, path: Path, count: int) -> set[int]:
    """The contract, written once more by hand: over text, or over what JSON Lines are read as."""
    pa, pl = import_module("pandera.polars"), import_module("polars")
    refusal: type[Any] = import_module("pandera.errors").SchemaErrors
    if kind == "csv":
        frame = pl.read_csv(path, infer_schema=False, n_rows=count)
    else:
        frame = pl.read_ndjson(path, n_rows=count)
    is_orders = "order_id" in names
    patterns = _ORDERS if is_orders else {n: _WIDE[i % 4] for i, n in enumerate(names)}
    columns = {
        name: pa.Column(
            frame.schema[name],
            _hand_check(pa, pl, name, pattern, frame.schema[name], is_orders=is_orders),
            nullable=name in {"ship_date", "note"},
        )
        for name, pattern in patterns.items()
    }
    if is_orders:
        columns["order_id"].unique = True
    try:
        pa.DataFrameSchema(columns).validate(frame, lazy=True)
    except refusal as errors:
        return {int(row) + 1 for row in errors.failure_cases["index"] if row is not None}
    return set()


def _hand_check(pa: Any, pl: Any, name: str, pattern: str, kind: Any, *, is_orders: bool) -> Any:
    if kind == pl.String:
        return pa.Check.str_matches(pattern)
    if kind == pl.Boolean:
        return []
    if kind.is_integer():
        return pa.Check.in_range(1, 1000) if is_orders else pa.Check.in_range(0, 9999)

    def cents(data: Any) -> Any:
        value = pl.col(data.key)
        return data.lazyframe.select((value * 100).round(0) / (value * 0 + 100) == value)

    return [pa.Check.in_range(0, 100_000), pa.Check(cents, name=f"{name}_cents")]


def install_cli(folder: Path) -> Path | None:
    """`datacontract` in an environment of its own; None when it cannot be installed."""
    program = folder / "bin" / "datacontract"
    if not program.exists():
        package = "datacontract-cli[duckdb]"
        try:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", package]
            subprocess.run(pip, check=True, timeout=_PATIENCE)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"datacontract-cli cannot be installed: {error}", file=sys.stderr)
    return program if program.exists() else None


def datacontract(program: Path, document: Mapping[str, Any], path: Path, count: int) -> set[int]:
    """Have a file tested; it names no row, whatever it finds.

    Raises:
        RuntimeError: It neither passed nor failed.
    """
    part = path.with_name(f"datacontract-{count}{path.suffix}")
    with path.open("rb") as file:
        part.write_bytes(b"".join(itertools.islice(file, count + (path.suffix == ".csv"))))
    kind = {".csv": {"format": "csv", "delimiter": ","}}.get(
        path.suffix, {"format": "json", "delimiter": "new_line"}
    )
    server = {"server": "local", "type": "local", "path": str(part), **kind}
    contract = part.with_name(f"{part.name}.odcs.yaml")  # JSON is YAML, too
    contract.write_text(json.dumps({**document, "servers": [server]}), encoding="utf-8")
    command = [str(program), "test", str(contract)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if "data contract" not in said.lower():  # a value of the wrong type ends it, as an error
        message = f"datacontract says neither passed nor failed: {said[-400:]}"
        raise RuntimeError(message)
    return set()
