"""`mesh check`: offline, and the same verdict as landing."""

from __future__ import annotations

import gzip
import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from cli.check_outputs import CheckOutputs
from cli.main import app
from mesh.checking import Check
from mesh.model.contract import DataContract
from mesh.schemas import load
from tests.thorough import examples

PLACE = "geography/countries/v1/countries"
GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"
BAD = b"code,name,area\nCH,Switzerland,41285\nxx,Nowhere,-1\nFR,,1\n"
SPLIT = {
    "customProperties": [
        {
            "property": "fileAcceptance",
            "value": {"mode": "split", "maxRejectedShare": 0.5},
        }
    ]
}
RECORD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"code": {"type": "string", "maxLength": 2}, "area": {"type": "integer"}},
    "required": ["code"],
}


@pytest.fixture
def check(tmp_path, contract_of):
    """Check a file of this name and content; the contract is that of `geography/countries`."""

    def run(name, data, *arguments, contract=None, contract_name="contract.odcs.json"):
        file = tmp_path / name
        file.write_bytes(data)
        document = tmp_path / contract_name
        text = contract if isinstance(contract, bytes) else json.dumps(contract or contract_of())
        document.write_bytes(text if isinstance(text, bytes) else text.encode())
        return CliRunner(env={"COLUMNS": "200"}).invoke(
            app,
            ["check", str(file), "--contract", str(document), *map(str, arguments)],
            catch_exceptions=False,
        )

    return run


def test_an_accepted_file(check):
    done = check("countries.csv", GOOD)

    assert done.exit_code == 0
    assert "countries.csv  accepted" in done.stdout
    assert "2 rows: 2 good, 0 bad, 0 violations" in done.stdout


def test_a_rejected_file(check):
    done = check("countries.csv", BAD)

    assert done.exit_code == 1
    assert "countries.csv  rejected" in done.stdout
    assert "code must match the pattern" in done.stdout


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.xls", b"x", "Save the workbook as .xlsx, or as .csv."),
        ("a.txt", GOOD, "Name delimited text .csv, or .tsv if tabs separate its cells"),
        ("a.csv.zip", b"x", "Compress the file with gzip or zstd instead"),
        ("a", GOOD, ".xlsx; .gz or .zst may follow."),
        ("a.csv", gzip.compress(GOOD, mtime=0), "Give its name the ending .gz"),
        ("a.csv", b"PAR1\x15", "The file is Parquet, and its name says that it is text."),
        ("a.csv.gz", GOOD, "Compress it, or take the ending off its name."),
        ("a.csv", GOOD.decode().encode("utf-16"), "fileDialect may say encoding: utf-16"),
        (
            "a.csv",
            "code,name,area\nCH,Z\u00fcrich,1\n".encode("latin-1"),
            "may say another encoding",
        ),
        ("a.csv", b'{"code": "CH"}\n', "Name it .jsonl; or send delimited text."),
        ("a.jsonl", b'[{"code": "CH"}]\n', "Name it .json; or write each object on a line"),
        ("a.csv", GOOD.replace(b"\n", b"\r"), "end them in LF or CRLF."),
        ("a.csv", b"", "Write the header line, even when there are no records."),
    ],
)
def test_what_is_wrong_with_a_file_as_a_whole(check, name, data, says):
    done = check(name, data)

    assert done.exit_code == 1
    assert f"{name}  rejected" in done.stdout
    assert says in " ".join(done.stdout.split())


def test_a_header_without_records(check):
    done = check("countries.csv", b"code,name,area\n")

    assert done.exit_code == 0
    assert "0 rows: 0 good, 0 bad, 0 violations" in done.stdout


def test_json_is_the_receipt(check):
    done = check("countries.csv", BAD, "--json")

    assert done.exit_code == 1
    receipt = json.loads(done.stdout)
    Draft202012Validator(load("receipts/v1")).validate(receipt)
    assert receipt["counts"]["rejected"] == 2


cells = st.sampled_from(["CH", "xx", "", "Namibia", "1", "-1", "x" * 30, '"a,b"', '"', "ü"])
names = st.sampled_from(
    ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.xlsx", "a.xls", "a", "no.jsonl.gz", "A.CSV"]
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=examples(40),
)
@given(
    name=names,
    header=st.sampled_from(["code,name,area", "name,code", "code;name", "", "code\tname\tarea"]),
    rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=5),
    as_json=st.booleans(),
)
def test_the_verdict_is_that_of_landing(countries, check, name, header, rows, as_json):
    fields = header.split(",")
    lines = [
        json.dumps(dict(zip(fields, row, strict=False))) if as_json else ",".join(row)
        for row in rows
    ]
    data = "\n".join([*([] if as_json else [header]), *lines, ""]).encode()
    data = gzip.compress(data) if name.endswith(".gz") else data

    entry = countries.land(f"{PLACE}/{name}", data)
    done = check(name, data, "--json")

    landed = json.loads(countries.storage.blobs[entry.receipt].data)
    checked = json.loads(done.stdout)
    for part in ("verdict", "counts", "problems", "warnings", "violations"):
        assert checked[part] == landed[part]
    assert done.exit_code == (0 if entry.verdict == "accepted" else 1)


def test_outputs_of_a_rejected_file(check, tmp_path):
    out = tmp_path / "new" / "out"

    done = check("countries.csv", BAD, "--out", out)

    assert done.exit_code == 1
    assert {path.name for path in out.iterdir()} == {
        "receipt.json",
        "rejected.csv",
        "violations.jsonl",
    }
    assert (out / "rejected.csv").read_bytes() == b"code,name,area\nxx,Nowhere,-1\nFR,,1\n"
    text = (out / "violations.jsonl").read_text(encoding="utf-8")
    violations = [json.loads(line) for line in text.splitlines()]
    assert {
        (found["row"], found["line"], found["field"], found["rule"]) for found in violations
    } == {
        (2, 3, "code", "pattern"),
        (2, 3, "area", "minimum"),
        (3, 4, "name", "required"),
    }
    assert {"path", "value", "message"} <= set(violations[0])
    receipt = json.loads((out / "receipt.json").read_text(encoding="utf-8"))
    assert receipt["locations"] == {
        "rejects": str(out / "rejected.csv"),
        "violations": str(out / "violations.jsonl"),
    }


def test_outputs_of_a_split_file_and_of_a_good_one_in_the_same_folder(check, tmp_path, contract_of):
    out = tmp_path / "out"
    data = b"code,name\nCH,Switzerland\nxx,Nowhere\n"

    split = check("countries.csv", data, "--out", out, "--json", contract=contract_of(more=SPLIT))
    assert split.exit_code == 0
    assert (out / "accepted.csv").read_bytes() == b"code,name\nCH,Switzerland\n"
    assert (out / "rejected.csv").read_bytes() == b"code,name\nxx,Nowhere\n"
    receipt = json.loads(split.stdout)
    assert set(receipt["locations"]) == {"published", "parquet", "rejects", "violations"}
    Draft202012Validator(load("receipts/v1")).validate(receipt)
    Draft202012Validator(load("manifests/v1")).validate(receipt["manifest"])
    parquet = (out / "accepted.parquet").read_bytes()
    assert receipt["manifest"]["sha256"] == hashlib.sha256(parquet).hexdigest()
    assert receipt["manifest"]["rows"] == 1

    check("countries.csv.gz", gzip.compress(GOOD), "--out", out)
    assert {path.name for path in out.iterdir()} == {
        "receipt.json",
        "accepted.csv",
        "accepted.parquet",
    }
    assert (out / "accepted.csv").read_bytes() == GOOD


def test_a_plain_json_schema_is_a_contract(check):
    good = check("a.jsonl", b'{"code": "CH"}\n', contract=RECORD, contract_name="country.json")
    bad = check("a.csv", b"code,area\nCHE,x\n", contract=RECORD, contract_name="country.json")

    assert good.exit_code == 0
    assert "by country 1.0.0, object country" in good.stdout
    assert bad.exit_code == 1
    assert "maxLength" in bad.stdout


def test_a_contract_in_yaml(check, contract_of):
    yaml = pytest.importorskip("yaml")
    text = yaml.safe_dump(contract_of()).encode()

    assert check("countries.csv", GOOD, contract=text, contract_name="c.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("contract", "says"),
    [
        (b"{", "document.syntax"),
        (b"[]", "document.not-an-object"),
        (b'{"a": 1}', "contract.unknown"),
        (b'{"apiVersion": "v9.0.0", "kind": "DataContract"}', "odcs.apiVersion"),
        (b'{"apiVersion": "v3.1.0", "kind": "DataContract"}', "odcs.schema.required"),
        (b'{"type": "object", "properties": {"a": {"type": "text"}}}', "/properties/a"),
    ],
)
def test_a_contract_that_is_none(check, contract, says):
    shown = check("countries.csv", GOOD, contract=contract)
    told = check("countries.csv", GOOD, "--json", contract=contract)

    assert shown.exit_code == told.exit_code == 2
    assert "contract.odcs.json is no contract that can be used" in shown.stderr
    assert says in shown.stderr
    problem = json.loads(told.stderr)
    assert problem["type"] == "urn:mesh:problems:invalid-contract"
    assert problem["findings"]


def test_an_object_has_to_be_chosen(check, contract_of):
    document = contract_of()
    document["schema"].append({**document["schema"][0], "name": "regions"})

    several = check("countries.csv", GOOD, contract=document)
    unknown = check("countries.csv", GOOD, "--object", "rivers", contract=document)
    chosen = check("countries.csv", GOOD, "--object", "regions", contract=document)

    assert several.exit_code == unknown.exit_code == 2
    assert (
        "The contract has several objects; choose one with --object: countries, regions."
        in several.stderr
    )
    assert "The contract has no object 'rivers'; it has countries, regions." in unknown.stderr
    assert chosen.exit_code == 0


def test_files_that_are_none(tmp_path):
    runner = CliRunner()
    given = tmp_path / "a.csv"
    given.write_bytes(GOOD)
    for arguments, says in (
        (["none.csv", "--contract", str(given)], "'none.csv' does not exist"),
        ([str(given), "--contract", "none.yaml"], "'none.yaml' does not exist"),
        ([str(tmp_path), "--contract", str(given)], "is a directory"),
        ([str(given)], "Missing option '--contract'"),
    ):
        done = runner.invoke(app, ["check", *arguments], catch_exceptions=False)
        assert done.exit_code == 2
        assert says in done.stderr


def test_a_folder_that_cannot_be_written_to(check, tmp_path):
    taken = tmp_path / "taken"
    taken.write_bytes(b"")

    done = check("countries.csv", GOOD, "--out", taken)

    assert done.exit_code == 2
    assert f"{taken} cannot be written to: File exists. Choose another --out." in done.stderr


def test_what_is_read_is_not_written_over(check, tmp_path):
    first = check("rejected.csv", BAD, "--out", tmp_path)
    (tmp_path / "accepted.jsonl").write_bytes(b"")
    known = f"--with=geography/regions={tmp_path / 'accepted.jsonl'}"
    second = check("b.csv", BAD, known, "--out", tmp_path)
    part = tmp_path / "o" / "accepted.parquet" / "a=1" / "x.csv"
    part.parent.mkdir(parents=True)
    part.write_bytes(GOOD)
    third = check("b.csv", BAD, f"--with=geography/regions={part}", "--out", tmp_path / "o")

    assert (first.exit_code, second.exit_code, third.exit_code) == (2, 2, 2)
    assert f"{tmp_path / 'rejected.csv'} is read, and would be written over" in first.stderr
    assert "accepted.jsonl is read, and would be written over in --out." in second.stderr
    assert f"{part} is read" in third.stderr
    assert (tmp_path / "rejected.csv").read_bytes() == BAD
    assert not (tmp_path / "receipt.json").exists()


def test_nothing_stays_of_a_check_that_is_ended(check, tmp_path, contract_of):
    out = tmp_path / "out"
    check("countries.csv", BAD, "--out", out)
    whole, parts = (
        Check(file="a.csv", contract=DataContract.from_document(document), object_name="countries")
        for document in (contract_of(), parted(contract_of))
    )

    with CheckOutputs(out, whole, read=[]) as outputs:
        outputs.sink.accepted(GOOD)
    with CheckOutputs(out, parts, read=[]) as outputs:
        outputs.parts("code=CH/a.parquet").commit()

    assert list(out.iterdir()) == []


def parted(contract_of):
    document = contract_of()
    document["schema"][0]["properties"][0] |= {"primaryKey": False, "partitioned": True}
    del document["schema"][0]["properties"][0]["primaryKeyPosition"]
    document["schema"][0]["properties"][0]["logicalTypeOptions"] = {}
    return document


def test_good_rows_are_parted_as_the_contract_says(check, tmp_path, contract_of):
    out = tmp_path / "out"

    for _ in range(2):
        done = check("countries.csv", GOOD, "--out", out, "--json", contract=parted(contract_of))

        receipt = json.loads(done.stdout)
        assert [part["path"] for part in receipt["manifest"]["parts"]] == [
            "code=CH/part-0.parquet",
            "code=NA/part-0.parquet",
        ]
        assert receipt["locations"]["parquet"] == str(out / "accepted.parquet")
        for part in receipt["manifest"]["parts"]:
            data = (out / "accepted.parquet" / part["path"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == part["sha256"]

    check("countries.csv", GOOD, "--out", out)
    assert (out / "accepted.parquet").is_file()


def test_too_many_parts_are_seen_without_outputs_too(check, contract_of):
    data = b"code,name,area\n" + b"".join(b"c%d,x,1\n" % number for number in range(300))

    done = check("countries.csv", data, contract=parted(contract_of))

    assert done.exit_code == 1
    assert "holds more than 256 partitions by code" in done.stdout
    assert check("countries.csv", GOOD, contract=parted(contract_of)).exit_code == 0
