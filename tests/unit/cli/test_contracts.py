"""`mesh contract lint`, `schema`, `diff` and `test`."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).parents[3]


@pytest.fixture
def contract(tmp_path, contract_of):
    """Write a contract, changed by `edit`, to a file; returns its path."""

    def write(name="a.odcs.json", edit=None):
        document = copy.deepcopy(contract_of())
        if edit is not None:
            edit(document)
        file = tmp_path / name
        file.write_text(json.dumps(document), encoding="utf-8")
        return file

    return write


def mesh(*arguments):
    runner = CliRunner(env={"COLUMNS": "240"})
    return runner.invoke(app, ["contract", *map(str, arguments)], catch_exceptions=False)


def fields(document):
    return document["schema"][0]["properties"]


def widen(document):
    document["version"] = "1.1.0"
    fields(document)[2]["logicalType"] = "number"


def test_lint_tells_all_findings_of_all_files(contract, tmp_path):
    broken = contract("b.odcs.json", lambda document: document.pop("id"))
    no_yaml = tmp_path / "c.odcs.yaml"
    no_yaml.write_text("a: [", encoding="utf-8")

    shown = mesh("lint", contract(), broken, no_yaml)
    told = mesh("lint", contract(), broken, no_yaml, "--json")

    assert shown.exit_code == told.exit_code == 1
    assert "2 findings in 3 files" in shown.stdout
    findings = json.loads(told.stdout)["findings"]
    assert [(found["file"], found["rule"]) for found in findings] == [
        (str(broken), "odcs.schema.required"),
        (str(no_yaml), "document.syntax"),
    ]


def test_lint_of_good_contracts(contract):
    done = mesh("lint", contract(), *ROOT.glob("examples/*/*/*.odcs.yaml"))

    assert done.exit_code == 0
    assert "7 files, no findings" in done.stdout


def test_the_schema_of_a_record(contract):
    shown = mesh("schema", contract())
    told = mesh("schema", contract(), "--object", "countries", "--json")

    schema = json.loads(told.stdout)
    assert json.loads(shown.stdout) == schema
    assert schema["properties"]["code"]["pattern"] == "^[A-Z]{2}$"
    assert told.stdout.count("\n") == 1


def test_an_object_that_is_not_there(contract):
    done = mesh("schema", contract(), "--object", "rivers")

    assert done.exit_code == 2
    assert "The contract has no object 'rivers'; it has countries." in done.stderr


def test_a_diff_says_whom_each_change_breaks(contract):
    old, new = contract(), contract("b.odcs.json", widen)

    forward, backward = mesh("diff", old, new), mesh("diff", old, new, "--mode", "BACKWARD")

    assert (forward.exit_code, backward.exit_code) == (1, 0)
    assert "1 breaking change of 1 (FORWARD): publish it under a new major" in forward.stdout
    assert "1 change, compatible (BACKWARD)" in backward.stdout
    told = json.loads(mesh("diff", old, new, "--json").stdout)
    assert told == {
        "old": "1.0.0",
        "new": "1.1.0",
        "mode": "forward",
        "verdict": "breaking",
        "changes": [
            {
                "object": "countries",
                "field": "area",
                "rule": "type",
                "path": "/schema/0/properties/2",
                "message": "area is now number instead of integer.",
                "breaks": ["consumers"],
                "verdict": "breaking",
            }
        ],
    }


def test_a_transitive_diff_looks_at_every_old_version(contract):
    def narrow(document):
        fields(document)[0]["logicalTypeOptions"] = {"maxLength": 1}

    first, second = contract("1.json", narrow), contract("2.json")

    last = mesh("diff", second, second, "--json")
    all_of_them = mesh("diff", first, second, second, "--mode", "full_transitive", "--json")
    wrong = mesh("diff", first, second, second)

    assert (last.exit_code, all_of_them.exit_code, wrong.exit_code) == (0, 1, 2)
    told = json.loads(all_of_them.stdout)
    assert (told["mode"], told["verdict"]) == ("full_transitive", "breaking")
    assert "Several old versions are compared in a transitive mode: forward_transitive." in (
        wrong.stderr
    )


def test_variables_of_what_is_compared_and_shown(contract):
    def variable(document):
        document["apiVersion"] = "v3.2.0"
        document["schema"][0]["description"] = "${WHAT}"

    file = contract("a.odcs.json", variable)

    assert mesh("diff", file, file, "--var", "WHAT=x").exit_code == 0
    assert mesh("schema", file, "--var", "WHAT=x").exit_code == 0
    assert "WHAT" in mesh("schema", file).stderr


def test_no_difference(contract):
    done = mesh("diff", contract(), contract("b.odcs.json"), "--mode", "full")

    assert done.exit_code == 0
    assert "0 changes, compatible (FULL)" in done.stdout


def test_a_diff_with_what_is_no_contract(contract):
    done = mesh("diff", contract(), contract("b.odcs.json", lambda d: d.pop("id")), "--json")

    assert done.exit_code == 2
    assert json.loads(done.stderr)["findings"]


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in ROOT.glob("examples/*/*/product.odps.yaml")),
    ids=lambda path: path.name,
)  # fmt: skip
def test_the_samples_of_the_examples_are_as_expected(folder):
    done = mesh("test", folder)

    assert done.exit_code == 0, done.stdout
    assert "0 not as expected" in done.stdout


@pytest.fixture
def samples(contract, tmp_path):
    """A contract's folder with samples of these names and contents."""

    def write(files, edit=None):
        contract(edit=edit)
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


GOOD, BAD = "code,name\nCH,Switzerland\n", "code,name\nch,Switzerland\n"


def test_samples_with_the_wrong_verdict(samples):
    done = mesh("test", samples({"good/a.csv": BAD, "bad/b.csv": GOOD, "bad/c.csv": BAD}), "--json")

    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["failed"] == 2
    parts = ("file", "verdict", "rules", "wrong")
    assert [tuple(one[part] for part in parts) for one in told["samples"]] == [
        ("good/a.csv", "rejected", ["pattern"], ["It breaks a rule."]),
        ("bad/b.csv", "accepted", [], ["It breaks no rule."]),
        ("bad/c.csv", "rejected", ["pattern"], []),
    ]


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ({"rules": ["pattern"], "rejected": 1, "verdict": "rejected"}, []),
        ({"rules": ["required"]}, ["The rules are to be required."]),
        ({"rejected": 2}, ["rejected is to be 2."]),
        ({"verdict": "accepted"}, ["verdict is to be accepted."]),
    ],
)
def test_samples_are_held_against_what_is_expected(samples, expected, wrong):
    files = {"bad/b.csv": BAD, "samples.json": json.dumps({"bad/b.csv": expected})}

    done = mesh("test", samples({"good/a.csv": GOOD, **files}, None), "--json")

    assert done.exit_code == (1 if wrong else 0)
    assert json.loads(done.stdout)["samples"][1]["wrong"] == wrong


def test_the_object_of_a_sample(samples):
    def two(document):
        document["schema"].append({**document["schema"][0], "name": "regions"})

    files = {"good/regions.csv": GOOD, "good/x.csv": GOOD}
    known = {"samples.json": json.dumps({"good/x.csv": {"object": "countries"}})}
    unknown = mesh("test", samples(files, two))
    chosen = mesh("test", samples({**files, **known}, two), "--json")

    assert unknown.exit_code == 2
    assert "x.csv holds is not known; the contracts have countries, regions." in unknown.stderr
    assert {one["file"]: one["object"] for one in json.loads(chosen.stdout)["samples"]} == {
        "good/regions.csv": "regions",
        "good/x.csv": "countries",
    }


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "has no samples; put files into its folders good and bad."),
        ({"good/a.csv": GOOD, "samples.json": "[1]"}, "is not of the form"),
        ({"good/a.csv": GOOD, "samples.json": '{"a.csv": {}}'}, "'a.csv', which is not there"),
    ],
)
def test_folders_that_cannot_be_tested(samples, files, says):
    done = mesh("test", samples(files))

    assert done.exit_code == 2
    assert says in done.stderr


def test_a_folder_without_a_contract(tmp_path):
    done = mesh("test", tmp_path)

    assert done.exit_code == 2
    assert "has no contract (NAME.odcs.yaml)." in done.stderr
