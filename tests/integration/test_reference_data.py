"""The reference mesh, its example files, and the whole files it is made for, row by row."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mesh.documents import read_declaration
from mesh.model.contract import DataContract
from mesh.model.declaration import Declaration, is_declaration_file
from mesh.model.names import ProductId
from mesh.validation import (
    FileFormat,
    FileProblem,
    NullSink,
    Plan,
    QueryLimits,
    Reference,
    RejectedRecord,
    ValidationReport,
    compile_object,
    good_rows,
    validate,
)
from mesh.validation.queries import ask, sql_rules

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
WHOLE = ROOT.parent / "shared" / "data" / "ourairports"
PRODUCTS = {
    "geography/countries": "countries",
    "geography/regions": "regions",
    "aerodromes/runways": "runways",
    "aerodromes/frequencies": "frequencies",
    "aerodromes/navaids": "navaids",
    "aerodromes/navaid-coverage": "coverage",
}
BAD_FILES: list[dict[str, Any]] = json.loads((EXAMPLES / "bad-files.json").read_text())

Faults = dict[int, set[tuple[str, str]]]
"""By row, the field and rule of each violation."""


class Faulty(NullSink):
    """Keeps which rows are refused, and why."""

    def __init__(self) -> None:
        self.rows: Faults = {}

    def rejected(self, record: RejectedRecord) -> None:
        self.rows[record.row] = {(item.field, item.rule) for item in record.violations}


@cache
def declared(product: str) -> Declaration:
    folder = EXAMPLES / product
    files = {
        file.name: file.read_bytes() for file in folder.iterdir() if is_declaration_file(file.name)
    }
    found = read_declaration(files)
    assert isinstance(found, Declaration), found
    return found


@cache
def plan(product: str) -> Plan:
    [contract] = declared(product).contracts
    return compile_object(DataContract.from_document(contract.document), PRODUCTS[product])


COUNTRIES = EXAMPLES / "geography" / "countries" / "good" / "countries.csv"


def judged(
    product: str, file: Path, *, countries: Path = COUNTRIES
) -> tuple[ValidationReport | FileProblem, Faults]:
    """What becomes of a file when `countries` is what was published of them."""
    layout = FileFormat.from_name(file.name)
    if isinstance(layout, FileProblem):
        return layout, {}
    sink = Faulty()
    bound = replace(plan(product), references=references(plan(product), countries))
    report = validate(bound, chunks_of(file), file_format=layout, sink=sink)
    return report, sink.rows


def references(own: Plan, countries: Path) -> dict[str, Reference]:
    found = {}
    for one in own.relationships:
        assert (one.product, one.object_name) == ("geography/countries", "countries")
        layout = FileFormat.from_name(countries.name)
        assert isinstance(layout, FileFormat)
        rows = good_rows(plan("geography/countries"), chunks_of(countries), file_format=layout)
        assert not isinstance(rows, FileProblem)
        ways = [(name,) for name in one.properties]
        found[one.pointer] = Reference(own, one, label=one.target, columns=ways)
        with rows:
            found[one.pointer].fill_from(rows)
    return found


def chunks_of(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        yield from iter(lambda: stream.read(1 << 20), b"")


def test_the_examples_are_the_products_named_here() -> None:
    folders = {str(file.parent.relative_to(EXAMPLES)) for file in EXAMPLES.glob("*/*/*.odps.*")}

    assert folders == set(PRODUCTS)


@pytest.mark.parametrize("product", PRODUCTS)
class TestDeclarations:
    def test_product(self, product: str) -> None:
        declaration = declared(product)

        assert str(declaration.product.id) == product
        assert declaration.product.purpose
        assert len(declaration.product.tags) >= 3
        [port] = declaration.product.output_ports
        assert port.objects == (PRODUCTS[product],)

    def test_each_field_is_described_classified_and_exemplified(self, product: str) -> None:
        [contract] = declared(product).contracts
        [element] = contract.document["schema"]
        assert element["description"]

        for entry in element["properties"]:
            assert entry["description"], entry["name"]
            assert entry["classification"] == "public"
            schema = plan(product).record["properties"][entry["name"]]
            assert valid(schema, entry.get("examples", [])), entry["name"]


def valid(schema: Mapping[str, Any], examples: list[Any]) -> bool:
    from jsonschema import Draft202012Validator

    return all(Draft202012Validator(schema).is_valid(example) for example in examples)


def test_the_composite_reads_ports_that_exist() -> None:
    inputs = declared("aerodromes/navaid-coverage").product.input_ports

    assert {str(port.product) for port in inputs} == {
        "geography/countries",
        "geography/regions",
        "aerodromes/navaids",
    }
    for port in inputs:
        [upstream] = declared(str(port.product)).product.output_ports
        assert (port.contract_id, port.version) == (upstream.contract_id, upstream.version)


@pytest.mark.parametrize(
    "file", sorted(EXAMPLES.glob("*/*/good/*")), ids=lambda file: str(file.relative_to(EXAMPLES))
)
def test_good_files_pass(file: Path) -> None:
    report, faults = judged(str(file.parents[1].relative_to(EXAMPLES)), file)

    assert isinstance(report, ValidationReport)
    assert faults == {}
    assert (report.verdict, report.problems) == ("accepted", ())
    assert 10 <= report.rows <= 30


@pytest.mark.parametrize("expected", BAD_FILES, ids=lambda expected: str(expected["file"]))
def test_bad_files_teach_what_they_are_said_to(expected: dict[str, Any]) -> None:
    report, faults = judged(expected["product"], EXAMPLES / expected["file"])

    wanted: Faults = {}
    for violation in expected["violations"]:
        wanted.setdefault(violation["row"], set()).add((violation["field"], violation["rule"]))
    assert faults == wanted
    assert plan(expected["product"]).object_name == expected["object"]
    if isinstance(report, FileProblem):
        assert (expected["problems"], expected["verdict"]) == ([report.rule], "rejected")
        return
    assert {
        "verdict": report.verdict,
        "rows": report.rows,
        "rejected": report.rejected,
        "problems": [problem.rule for problem in report.problems],
    } == {key: expected[key] for key in ("verdict", "rows", "rejected", "problems")}


def test_each_bad_file_is_listed_and_teaches_something() -> None:
    files = {str(file.relative_to(EXAMPLES)) for file in EXAMPLES.glob("*/*/bad/*")}

    assert [entry["file"] for entry in BAD_FILES if not entry["teaches"]] == []
    assert sorted(entry["file"] for entry in BAD_FILES) == sorted(files)


class TestComposite:
    def test_the_job_makes_the_good_file(self, tmp_path: Path) -> None:
        inputs = {
            name: EXAMPLES / folder / "good" / f"{name}.csv"
            for name, folder in (
                ("countries", "geography/countries"),
                ("regions", "geography/regions"),
                ("navaids", "aerodromes/navaids"),
            )
        }

        made = composed(inputs, tmp_path / "coverage.csv")

        good = EXAMPLES / "aerodromes" / "navaid-coverage" / "good" / "coverage.csv"
        assert made.read_text(encoding="utf-8") == good.read_text(encoding="utf-8")

    def test_json_lines_and_csv_give_the_same(self, tmp_path: Path) -> None:
        good = EXAMPLES / "geography" / "countries" / "good"
        others = {
            "regions": EXAMPLES / "geography" / "regions" / "good" / "regions.csv",
            "navaids": EXAMPLES / "aerodromes" / "navaids" / "good" / "navaids.csv",
        }

        from_csv = composed({"countries": good / "countries.csv", **others}, tmp_path / "a.csv")
        from_json = composed({"countries": good / "countries.jsonl", **others}, tmp_path / "b.csv")

        assert from_csv.read_bytes() == from_json.read_bytes()


def composed(inputs: Mapping[str, Path], output: Path) -> Path:
    """Run the composite's job."""
    path = EXAMPLES / "aerodromes" / "navaid-coverage" / "compose.py"
    spec = importlib.util.spec_from_file_location("compose", path)
    assert spec is not None
    assert spec.loader is not None
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)
    arguments = [part for name, file in inputs.items() for part in (f"--{name}", str(file))]
    job.main([*arguments, "--output", str(output)])
    return output


# -- The whole files. What is wrong with them is found here a second time, in plain Python. --------


@dataclass(frozen=True, kw_only=True)
class WholeFile:
    """A real file: how many rows it has, and which of them its contract must refuse.

    Attributes:
        suspects: yields field and rule of what is wrong with a row.
        rejected: how many rows these are, in the release that the examples tell of.
        known: some of them, by number.
    """

    name: str
    rows: int
    rejected: int
    suspects: Callable[[Mapping[str, str]], Iterator[tuple[str, str]]] = lambda _: iter(())
    known: Faults = field(default_factory=dict)


def wrong_runways(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for end in ("le", "he"):
        name = row[f"{end}_ident"]
        if name and (name.startswith("-") or not set(name) <= LETTERS):
            yield f"{end}_ident", "pattern"
        heading = row[f"{end}_heading_degT"]
        if heading and float(heading) > 360:
            yield f"{end}_heading_degT", "maximum"
    for size in ("length_ft", "width_ft"):
        if row[size] and int(row[size]) < 1:
            yield size, "minimum"


def wrong_frequencies(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    frequency = float(row["frequency_mhz"])
    if frequency < 2:
        yield "frequency_mhz", "minimum"
    if frequency > 480:
        yield "frequency_mhz", "maximum"
    if "\t" in row["type"]:
        yield "type", "pattern"


def wrong_navaids(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if int(row["frequency_khz"]) < 0:
        yield "frequency_khz", "minimum"
    if row["dme_frequency_khz"] and int(row["dme_frequency_khz"]) < 108_000:
        yield "dme_frequency_khz", "minimum"
    if re.search("[a-z_]", row["ident"]):
        yield "ident", "pattern"


LETTERS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
WHOLE_FILES = {
    "geography/countries": WholeFile(name="countries", rows=249, rejected=0),
    "geography/regions": WholeFile(name="regions", rows=3_987, rejected=0),
    "aerodromes/runways": WholeFile(
        name="runways",
        rows=48_184,
        rejected=123,
        suspects=wrong_runways,
        known={
            147: {("width_ft", "minimum")},
            10_294: {("length_ft", "minimum"), ("width_ft", "minimum")},
            16_392: {("he_heading_degT", "maximum")},
        },
    ),
    "aerodromes/frequencies": WholeFile(
        name="airport-frequencies",
        rows=30_340,
        rejected=299,
        suspects=wrong_frequencies,
        known={
            362: {("frequency_mhz", "maximum")},
            2_212: {("frequency_mhz", "minimum")},
            6_158: {("frequency_mhz", "minimum")},
        },
    ),
    "aerodromes/navaids": WholeFile(
        name="navaids",
        rows=11_008,
        rejected=6,
        suspects=wrong_navaids,
        known={
            883: {("dme_frequency_khz", "minimum")},
            1_003: {("frequency_khz", "minimum")},
            1_497: {("frequency_khz", "minimum")},
            6_138: {("frequency_khz", "minimum")},
            6_139: {("frequency_khz", "minimum")},
            10_273: {("ident", "pattern")},
        },
    ),
}
needs_whole_files = pytest.mark.skipif(
    not WHOLE.is_dir(), reason=f"NOT RUN: the whole files of OurAirports are not in {WHOLE}"
)


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@needs_whole_files
@pytest.mark.parametrize("product", ["geography/regions", "aerodromes/navaids"])
@pytest.mark.parametrize("left_out", [None, 2, 5])
def test_each_row_points_at_a_country_that_is_listed(
    product: str, left_out: int | None, tmp_path: Path
) -> None:
    """All do; so that it is seen to be looked for, countries are left out of the list, too."""
    listed = rows_of(WHOLE / "countries.csv")
    listed = [row for at, row in enumerate(listed) if left_out is None or at % left_out]
    shorter = tmp_path / "countries.csv"
    with shorter.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
    codes = {row["code"] for row in listed}
    file = WHOLE / f"{WHOLE_FILES[product].name}.csv"
    wanted = {
        number
        for number, row in enumerate(rows_of(file), start=1)
        if row["iso_country"] not in codes
    }

    _, faults = judged(product, file, countries=shorter)

    orphans = {row for row, found in faults.items() if ("iso_country", "relationship") in found}
    assert orphans == wanted
    assert bool(wanted) == (left_out is not None)
    others = {row for row, found in faults.items() if found != {("iso_country", "relationship")}}
    assert len(others) == WHOLE_FILES[product].rejected


@needs_whole_files
@pytest.mark.parametrize("product", WHOLE_FILES)
def test_whole_files_get_the_verdict_they_deserve(product: str) -> None:
    whole = WHOLE_FILES[product]
    file = WHOLE / f"{whole.name}.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        wanted = {
            number: found
            for number, row in enumerate(csv.DictReader(stream), start=1)
            if (found := set(whole.suspects(row)))
        }

    report, faults = judged(product, file, countries=WHOLE / "countries.csv")

    assert isinstance(report, ValidationReport)
    assert faults == wanted
    assert whole.known.items() <= faults.items()
    assert (report.verdict, report.problems) == ("accepted", ())
    assert (report.rows, report.rejected) == (whole.rows, whole.rejected)
    assert report.accepted == whole.rows - whole.rejected


@needs_whole_files
def test_the_query_about_runways_answers_what_counting_them_answers(tmp_path: Path) -> None:
    own = plan("aerodromes/runways")
    file = tmp_path / "rows.parquet"
    layout = FileFormat.from_name("runways.csv")
    assert isinstance(layout, FileFormat)
    found = good_rows(own, chunks_of(WHOLE / "runways.csv"), file_format=layout)
    assert not isinstance(found, FileProblem)
    with found:
        file.write_bytes(found.read())
    good = [
        (int(row["length_ft"] or 0), int(row["width_ft"] or 0))
        for row in rows_of(WHOLE / "runways.csv")
        if not set(wrong_runways(row))
    ]
    wider = sum(0 < length < width for length, width in good)

    [answer] = ask(own, sql_rules(own), file, QueryLimits())

    assert answer.value is not None
    assert round(float(answer.value) * len(good) / 100) == wider > 100


@needs_whole_files
def test_the_composite_of_the_whole_files_passes_its_own_contract(tmp_path: Path) -> None:
    inputs = {name: WHOLE / f"{name}.csv" for name in ("countries", "regions", "navaids")}

    made = composed(inputs, tmp_path / "coverage.csv")

    report, faults = judged("aerodromes/navaid-coverage", made)
    assert isinstance(report, ValidationReport)
    assert faults == {}
    assert (report.verdict, report.rows) == ("accepted", 249)
    with made.open(encoding="utf-8", newline="") as stream:
        counts = Counter(
            {row["iso_country"]: int(row["navaids"]) for row in csv.DictReader(stream)}
        )
    assert counts.total() == 11_008
    assert counts["NA"] > 0


def test_the_readme_tells_the_numbers_that_are_tested() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    for whole in WHOLE_FILES.values():
        rows = f"{whole.rows:,}".replace(",", " ")
        assert re.search(rf"`{whole.name}\.csv` \| {rows} \| [a-z, ]+ \| {whole.rejected} \|", text)
    for product in PRODUCTS:
        assert f"[`{ProductId.parse(product)}`]({product})" in text
