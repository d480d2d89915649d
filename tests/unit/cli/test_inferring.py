"""`mesh contract infer`: a draft on standard output, ready to be written to a file."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.main import app

DATA = b"code,name\nCH,Switzerland\nNA,Namibia\n"


@pytest.fixture
def file(tmp_path):
    """A small file."""
    path = tmp_path / "Countries 2024.csv"
    path.write_bytes(DATA)
    return path


def mesh(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)


def test_the_draft_is_a_contract_that_accepts_the_file(file, tmp_path):
    draft = tmp_path / "draft.odcs.yaml"
    done = mesh("contract", "infer", file)
    draft.write_text(done.stdout, encoding="utf-8")

    assert done.exit_code == 0
    assert "      # 2 values, never null.\n" in done.stdout
    assert mesh("contract", "lint", draft).exit_code == 0
    assert mesh("check", file, "--contract", draft).exit_code == 0


def test_as_json_the_evidence_stands_by_pointer(file):
    told = json.loads(mesh("contract", "infer", file, "--object", "states", "--json").stdout)

    assert told["rows"] == 2
    assert told["contract"]["schema"][0]["name"] == "states"
    assert told["evidence"]["/schema/0/properties/0"] == ["2 values, never null.", "2 characters."]


def test_the_object_is_named_by_the_file(file):
    told = json.loads(mesh("contract", "infer", file, "--json").stdout)

    assert told["contract"]["schema"][0]["name"] == "countries-2024"


def test_a_file_that_no_contract_is_for(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"")

    done = mesh("contract", "infer", tmp_path / "a.csv", "--json")

    assert done.exit_code == 2
    assert json.loads(done.stderr) == {
        "type": "urn:mesh:problems:nothing-to-infer",
        "title": "Nothing to infer",
        "detail": "The file is empty: there is nothing to infer a contract from.",
    }
