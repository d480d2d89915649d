"""What a draft says of files, and what it leaves open."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.checking import Check
from mesh.documents import read_document
from mesh.errors import Rejected
from mesh.inference import Draft, Source, as_yaml, infer
from mesh.inference.evidence import Evidence, Uniqueness
from mesh.model.contract import DataContract
from mesh.model.contract_check import check_contract
from mesh.validation import FileFormat, NullSink, compile_object, validate
from tests.thorough import examples

REAL = Path(__file__).parents[4] / "shared" / "data" / "ourairports"


def source(data: bytes, name: str = "rows.csv") -> Source:
    return Source(name=name, open=lambda: [data[i : i + 999] for i in range(0, len(data), 999)])


def drafted(data: bytes | str, name: str = "rows.csv") -> Draft:
    """A draft, which is a good contract and accepts the file it is from."""
    data = data.encode() if isinstance(data, str) else data
    made = infer([source(data, name)], object_name="rows")
    again = read_document("draft.yaml", as_yaml(made))
    assert again == made.document
    assert check_contract(made.document, file="draft") == []
    plan = compile_object(DataContract.from_document(made.document), "rows")
    format_ = FileFormat.from_name(name)
    assert isinstance(format_, FileFormat)
    report = validate(plan, [data], file_format=format_, sink=NullSink())
    assert (report.verdict, report.rejected, report.problems) == ("accepted", 0, ())
    return made


def column(cells: Sequence[str], header: str = "a") -> dict[str, Any]:
    """The field that is drafted for these cells, beside one that says nothing."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([header, "other"])
    writer.writerows([cell, "-"] for cell in cells)
    made = drafted(out.getvalue())
    field: dict[str, Any] = made.document["schema"][0]["properties"][0]
    return field


def many(*cells: str, times: int = 30) -> list[str]:
    return list(cells) * times


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (many("1", "-20"), {"logicalType": "integer"}),
        (many("1", "2.5", "1e3"), {"logicalType": "number"}),
        (many("01", "22"), {"logicalType": "string"}),
        (many("1", "+2"), {"logicalType": "string"}),
        (many("12345678901234567890"), {"logicalType": "string"}),
        (many("true", "false"), {"logicalType": "boolean"}),
        (many("2024-02-29", "2023-01-01"), {"logicalType": "date"}),
        (many("2023-02-29", "2023-01-01"), {"logicalType": "string"}),
        (
            many("31.12.2024"),
            {"logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}},
        ),
        (many("01/02/2024"), {"logicalType": "string"}),
        (
            many("01/02/2024", "31/01/2024"),
            {"logicalType": "date", "logicalTypeOptions": {"format": "dd/MM/yyyy"}},
        ),
        (many("2024-01-01T10:00:00Z"), {"logicalType": "timestamp"}),
        (
            many("2024-01-01T10:00:00"),
            {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}},
        ),
        (
            many("2024-01-01 10:00:00"),
            {"logicalType": "timestamp", "logicalTypeOptions": {"format": "yyyy-MM-dd HH:mm:ss"}},
        ),
        (many("10:00:00"), {"logicalType": "time"}),
    ],
)
def test_types(cells, expected):
    field = column(cells)

    assert {
        name: field[name] for name in ("logicalType", "logicalTypeOptions") if name in field
    } == expected


def test_na_is_a_text_and_empty_is_null():
    field = column([*many("NA", "CH"), ""])

    assert field["logicalType"] == "string"
    assert field["enum"] == [{"value": "CH"}, {"value": "NA"}]
    assert "required" not in field


@pytest.mark.parametrize(
    ("cells", "key", "value"),
    [
        ([f"{n:03}" for n in range(30)] * 2, "logicalTypeOptions", {"pattern": "^[0-9]{3}$"}),
        ([f"u{n}@a.example" for n in range(30)], "logicalTypeOptions", {"format": "email"}),
        ([f"https://a.example/{n}" for n in range(30)], "logicalTypeOptions", {"format": "uri"}),
        ([str(n) for n in range(30)] * 4, "logicalTypeOptions", {"minimum": 0}),
        (many("red", "blue"), "enum", [{"value": "blue"}, {"value": "red"}]),
        (many("red", "blue"), "required", True),
    ],
)
def test_strong_evidence_becomes_a_rule(cells, key, value):
    assert column(cells)[key] == value


@pytest.mark.parametrize(
    ("cells", "key"),
    [
        (["A1", "B2"], "logicalTypeOptions"),
        ([str(n) for n in range(30)], "logicalTypeOptions"),
        (["red", "blue"], "enum"),
        ([*many("red", "blue"), "green"], "enum"),
        (["red"] * 5, "required"),
        ([*many("red"), ""], "required"),
        ([str(n) for n in range(10)], "primaryKey"),
        ([*(str(n) for n in range(30)), "3"], "primaryKey"),
    ],
)
def test_weak_evidence_does_not(cells, key):
    assert key not in column(cells)


def test_the_key_is_the_field_that_is_named_like_one():
    rows = "".join(f"Place {n},{n}\n" for n in range(30))

    made = drafted(f"name,place_id\n{rows}")

    name, identifier = made.document["schema"][0]["properties"]
    assert identifier["primaryKey"] is True
    assert "primaryKey" not in name
    assert made.evidence["/schema/0/properties/0"][-1] == "Could be a key: no value came twice."
    assert "Taken for the primary key: 30 values, none twice." in as_yaml(made)


@pytest.mark.parametrize(
    ("data", "dialect"),
    [
        ("a;b\n1;x,y\n2;z\n", {"separator": ";"}),
        ("a|b\n1|x\n", {"separator": "|"}),
        ("a\tb\n1\tx\n", {"separator": "\t"}),
        ("1,x\n2,y\n", {"separator": ",", "header": False}),
        ("a;b\n1,5;2\n2,25;3\n", {"separator": ";", "decimalMark": ","}),
        ("a,b\nZ\u00fcrich,x\n".encode("cp1252"), {"separator": ",", "encoding": "windows-1252"}),
        ("a,b\nZ\u00fcrich,x\n".encode("utf-16"), {"separator": ",", "encoding": "utf-16"}),
        (b"\xef\xbb\xbfa,b\r\n1,x\r\n", {"separator": ","}),
        ('a,b\n"x\ny",2\n', {"separator": ","}),
    ],
)
def test_the_dialect(data, dialect):
    [custom] = drafted(data).document["customProperties"]

    assert custom == {"property": "fileDialect", "value": dialect}


def test_a_decimal_comma_makes_numbers():
    fields = drafted("a;b\n1,5;2\n2,25;3\n").document["schema"][0]["properties"]

    assert [field["logicalType"] for field in fields] == ["number", "integer"]


def test_json_lines_of_all_shapes():
    record = {"n": 1, "x": 1.5, "t": "a", "o": {"p": 1, "q": None}, "l": [{"z": True}], "m": 1}
    lines = [json.dumps(record), json.dumps({**record, "m": "a", "x": 2}), json.dumps({"n": None})]

    made = drafted("\n".join(lines), "rows.jsonl")

    fields = {field.pop("name"): field for field in made.document["schema"][0]["properties"]}
    assert fields["n"] == {"logicalType": "integer"}
    assert fields["x"] == {"logicalType": "number"}
    assert fields["l"]["items"]["properties"] == [{"name": "z", "logicalType": "boolean"}]
    assert [member["name"] for member in fields["o"]["properties"]] == ["p", "q"]
    assert fields["m"] == {}
    assert made.document["apiVersion"] == "v3.1.0"
    assert any(
        "Values of several types" in said for said in made.evidence["/schema/0/properties/5"]
    )


def test_several_files_of_one_kind():
    sources = [source(b"a,b\n1,x\n"), source(b"b,a,c\ny,2.5,z\n")]

    made = infer(sources, object_name="rows")

    assert made.rows == 2
    fields = made.document["schema"][0]["properties"]
    assert [(field["name"], field["logicalType"]) for field in fields] == [
        ("a", "number"),
        ("b", "string"),
        ("c", "string"),
    ]


def test_a_compressed_file():
    assert drafted(gzip.compress(b"a,b\n1,x\n"), "rows.csv.gz").rows == 1


def test_a_guess_that_the_engine_refuses_is_taken_back():
    """The format of a host is stricter than the guess."""
    cells = [f"https://-{n}..example/" for n in range(30)] + [
        f"https://a:{99999}/{n}" for n in range(3)
    ]

    assert column(cells)["logicalType"] == "string"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.csv": b""}, "The file is empty"),
        ({"a.jsonl": b""}, "The files hold no record"),
        ({"a.jsonl": b"{}\n[1]\n"}, "Line 2 is not a JSON object"),
        ({"a.txt": b"x"}, "cannot be told by its name"),
        ({"a.parquet": b"PAR1"}, "No contract accepts a.parquet."),
        ({"a.csv": b"a,b\n1,2\n1,2,3\n"}, "No contract accepts a.csv. Row 2, line 3"),
        ({"a.csv": b'a,b\n1,"2\n'}, "No contract accepts a.csv."),
        ({"a.csv": b"a,b\n1,2\n1,x\ry\n"}, "The cells of line 3 cannot be told apart"),
        (
            {"a.csv": b"a,b\n1,2\n", "b.csv": b"a;b\n1;2\n"},
            "b.csv is written in another way than a.csv; infer a contract from each kind alone.",
        ),
        ({"a.jsonl": b'{"a": 1}\n', "b.csv": b"a,b\n1,2\n"}, "b.csv is written in another way"),
        ({"a.csv.gz": b"a,b\n1,2\n"}, "a.csv.gz: "),
        ({"a.jsonl": b'{"a": 1, "a": 2}\n'}, "No contract accepts a.jsonl."),
    ],
)
def test_files_that_no_contract_is_for(files, says):
    sources = [source(data, name) for name, data in files.items()]

    with pytest.raises(Rejected) as refused:
        infer(sources, object_name="rows")

    assert says in str(refused.value)
    assert refused.value.problem == "nothing-to-infer"


tricky = st.sampled_from(
    ["", " ", "0", "-0", "00", "1.0", "1", "1,5", "1e5", "1E+99", "NA", "null", "true",
     "2024-01-31", "2024-02-30", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00Z", "24:00:00", "a@b",
     "a@b.c",
     "https://", "https://a/%zz", "https://a/ b", "1.2.3.4", "'", "\u00e9", "\U0001f600",
     "#x", "a;b|c"]
)  # fmt: skip
cells = st.one_of(
    tricky,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), max_size=5),
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str),
    st.datetimes().map(lambda at: at.isoformat()),
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table in which a column repeats a few values so often that guesses are made."""
    width = draw(st.integers(2, 4))
    pools = [draw(st.lists(cells, min_size=1, max_size=4)) for _ in range(width)]
    rows = draw(st.lists(st.tuples(*(st.sampled_from(pool) for pool in pools)), max_size=20))
    rows = rows * draw(st.sampled_from([1, 5]))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", delimiter=draw(st.sampled_from(",;\t")))
    writer.writerow([f"name {place}" for place in range(width)])
    writer.writerows(rows)
    return out.getvalue()


@settings(max_examples=examples(60))
@given(tables())
def test_the_draft_accepts_the_file_it_is_from(table: str) -> None:
    drafted(table)


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), tricky,
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=3).filter(str.isprintable),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=examples(60))
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "c d"]), values, min_size=1), min_size=1),
    st.sampled_from([1, 25]),
)
def test_the_draft_accepts_the_json_it_is_from(records: list[Any], times: int) -> None:
    drafted("\n".join(map(json.dumps, records * times)), "rows.jsonl")


def test_a_list_of_values_is_left_out_where_the_version_knows_none_however_deep() -> None:
    """A field of several types has none, which only ODCS 3.1 allows."""
    record = '{"mixed": [false, 0], "deep": [{"code": ""}], "flat": {"code": ""}}'

    made = drafted("\n".join([record] * 25), "rows.jsonl")

    assert made.document["apiVersion"].startswith("v3.1")
    assert "enum" not in json.dumps(made.document)


@pytest.mark.skipif(not REAL.exists(), reason="the whole files are not part of the project")
@pytest.mark.parametrize(
    "name", ["countries", "regions", "airport-frequencies", "navaids", "runways"]
)
def test_the_whole_files(name):
    file = REAL / f"{name}.csv"
    made = infer([Source(name=file.name, open=lambda: [file.read_bytes()])], object_name=name)

    contract = DataContract.from_document(made.document)
    check = Check(file=file.name, contract=contract, object_name=name)
    [key] = [field for field in made.document["schema"][0]["properties"] if "primaryKey" in field]
    from datetime import UTC, datetime

    receipt = check.run([file.read_bytes()], NullSink(), at=datetime.now(UTC))
    assert (receipt["verdict"], receipt["counts"]["rejected"]) == ("accepted", 0)
    assert key["name"] == "id"


def test_memory_does_not_grow_with_the_values():
    """A hundred thousand different texts are remembered up to the limit, and no further."""
    evidence = Evidence(Uniqueness(limit=1_000))
    tracemalloc.start()
    try:
        for number in range(100_000):
            evidence.text(f"a value that is unlike all others, {number}")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000
    assert evidence.repeats is None
    assert evidence.listed is None
