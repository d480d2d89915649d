"""`mesh check` of several files, of standard input, and as a page."""

from __future__ import annotations

import csv
import io
import json
import os

import pytest
from typer.testing import CliRunner

from cli.main import app

GOOD = b"code,name\nCH,Switzerland\n"
BAD = b"code,name\nxx,Nowhere\n"


@pytest.fixture
def check(tmp_path, contract_of, monkeypatch):
    """Check files in a folder of their own: `c.json` is the contract, `a` good and `b` bad."""
    (tmp_path / "c.json").write_text(json.dumps(contract_of()), encoding="utf-8")
    (tmp_path / "sub").mkdir()
    for name, data in (("a.csv", GOOD), ("b.csv", BAD), ("sub/a.csv", GOOD)):
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)

    def run(*arguments, data=None):
        runner = CliRunner(env={"COLUMNS": "200"})
        words = ["check", *map(str, arguments), "--contract", "c.json"]
        return runner.invoke(app, words, input=data, catch_exceptions=False)

    return run


@pytest.mark.parametrize(
    ("names", "judged", "code"),
    [
        (["a.csv", "b.csv"], ["a.csv", "b.csv"], 1),
        (["*.csv"], ["a.csv", "b.csv"], 1),
        (["*.csv", "a.csv"], ["a.csv", "b.csv"], 1),
        (["**/a.csv"], ["a.csv", "a.csv"], 0),
    ],
)
def test_several_files(check, names, judged, code):
    done = check(*names, "--json")

    assert done.exit_code == code
    told = json.loads(done.stdout)
    assert told["verdict"] == ("rejected" if code else "accepted")
    assert [receipt["file"]["name"] for receipt in told["receipts"]] == judged


def test_several_files_for_people(check):
    done = check("a.csv", "b.csv")

    assert "a.csv  accepted" in done.stdout
    assert "b.csv  rejected" in done.stdout


def test_a_pattern_may_be_absolute(check, tmp_path):
    assert check(tmp_path / "a*.csv").exit_code == 0


def test_outputs_of_several_files(check, tmp_path):
    check("a.csv", "b.csv", "--out", "out")

    written = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")
    }
    assert {name for name in written if "/" in name} == {
        "a.csv/accepted.csv",
        "a.csv/accepted.parquet",
        "a.csv/receipt.json",
        "b.csv/receipt.json",
        "b.csv/rejected.csv",
        "b.csv/violations.jsonl",
    }


def test_standard_input(check):
    good, bad = check("--stdin", "a.csv", data=GOOD), check("--stdin", "a.csv", "--json", data=BAD)

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert json.loads(bad.stdout)["file"] == {"name": "a.csv", "byteSize": len(BAD)}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name files, or --stdin"),
        (["a.csv", "--stdin", "b.csv"], "Give files, or --stdin, not both."),
        (["x*.csv"], "No file matches 'x*.csv'."),
        (["x.csv"], "The file 'x.csv' does not exist."),
        (["sub"], "'sub' is a directory"),
        (["a.csv", "sub/a.csv", "--out", "out"], "Several files are called a.csv"),
        (["a.csv", "--json", "--format", "md"], "Ask for --json or --format, not both."),
        (["a.csv", "b.csv", "--format", "html"], "is of one file; name one."),
    ],
)
def test_calls_that_are_wrong(check, arguments, says):
    done = check(*arguments)

    assert done.exit_code == 2
    assert says in done.stderr


def test_a_page_and_a_table(check):
    page, table = check("b.csv", "--format", "html"), check("b.csv", "--format", "csv")
    text = check("a.csv", "b.csv", "--format", "md")

    assert page.exit_code == table.exit_code == text.exit_code == 1
    assert page.stdout.startswith("<!doctype html>")
    [found] = csv.DictReader(io.StringIO(table.stdout))
    assert (found["row"], found["field"], found["value"]) == ("1", "code", "xx")
    assert "# a.csv: accepted\n" in text.stdout
    assert "# b.csv: rejected\n" in text.stdout


def test_a_pipe_is_told_how_to_be_given(check, tmp_path):
    os.mkfifo(tmp_path / "a.pipe")

    done = check("a.pipe")

    assert done.exit_code == 2
    assert "'a.pipe' is a pipe or a device; give what it holds with --stdin NAME." in done.stderr


def test_a_name_that_is_no_utf_8(check, tmp_path):
    (tmp_path / os.fsdecode(b"n\xff.csv")).write_bytes(GOOD)

    done = check("n*.csv", "--out", "out", "--json")

    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["file"]["name"] == "n?.csv"
    assert json.loads((tmp_path / "out/receipt.json").read_text("utf-8")) == told
