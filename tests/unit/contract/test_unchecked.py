"""What a contract says and no file is checked by: told by lint, and in receipts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from mesh.model.contract import DataContract
from mesh.model.contract_check import unchecked_findings
from mesh.model.unchecked import FORMATS
from mesh.validation import compile_object
from mesh.validation.reference import record_validator
from tests.unit.validation.files import contract, judge, plan_of


def text(name: str, format_name: str) -> dict[str, Any]:
    return {"name": name, "logicalType": "string", "logicalTypeOptions": {"format": format_name}}


LISTED = {"name": "list", "logicalType": "array", "items": text("", "bic") | {"name": "bic"}}
DOCUMENT = contract([text("account", "iban"), text("mail", "email"), text("key", "byte"), LISTED])


def test_a_format_that_nobody_knows_is_told_by_lint_and_in_the_receipt() -> None:
    outcome = judge(plan_of(DOCUMENT), b"account,mail,key,list\nx,a@b.ch,AA==,\n")

    assert outcome.report.verdict == "accepted"
    findings = unchecked_findings(DOCUMENT, file="c")
    assert [(finding.path, finding.rule, finding.message) for finding in findings] == [
        (
            "/schema/0/properties/0/logicalTypeOptions/format",
            "format",
            "The values of account were not checked by the format 'iban', which is not known here.",
        ),
        (
            "/schema/0/properties/3/items/logicalTypeOptions/format",
            "format",
            "The values of list[] were not checked by the format 'bic', which is not known here.",
        ),
    ]
    told = [(warning.rule, warning.message, warning.remedy) for warning in outcome.report.warnings]
    assert told == [(finding.rule, finding.message, finding.remedy) for finding in findings]


def test_the_formats_that_are_known_are_those_that_are_checked() -> None:
    assert set(record_validator({}).format_checker.checkers) == FORMATS


@pytest.mark.parametrize(
    ("draft", "unknown"), [("draft-07/schema#", ["duration", "iban"]), ("2020-12", ["iban"])]
)
def test_formats_of_a_plain_schema_are_those_of_its_draft(draft: str, unknown: list[str]) -> None:
    base = "http://json-schema.org/" if "07" in draft else "https://json-schema.org/draft/"
    schema = {
        "$schema": base + (draft if "07" in draft else "2020-12/schema"),
        "type": "object",
        "properties": {
            "format": {"type": "string", "enum": [{"format": "x"}]},
            "a": {"type": "string", "format": "duration"},
            "b": {"anyOf": [{"type": "string", "format": "iban"}, {"type": "null"}]},
            "c": {"type": "string", "format": "date"},
        },
    }
    made = DataContract.from_json_schema(schema, name="rows")

    found = compile_object(made, "rows").unchecked

    assert [one.message.split("'")[1] for one in found] == unknown
    assert [one.pointer for one in found][-1] == "/properties/b/anyOf/0/format"
    checkers = record_validator(schema).format_checker.checkers
    assert ("duration" in checkers) is ("duration" not in unknown)


def test_rules_for_others_are_told_by_lint() -> None:
    rules = [
        {"type": "custom", "engine": "soda", "implementation": "x"},
        {"type": "text", "description": "nice"},
        {"metric": "rowCount", "mustBeGreaterThan": 0},
    ]
    found = unchecked_findings(contract([text("a", "uuid")], quality=rules), file="c")

    assert [finding.message for finding in found] == [
        "The custom quality rule at /schema/0/quality/0 was not checked."
    ]


def test_lint_tells_of_schedules_calendars_and_zones(tmp_path: Any) -> None:
    inner = {"name": "b", "logicalType": "timestamp"}
    inner["logicalTypeOptions"] = {"defaultTimezone": "Mars/Base"}  # type: ignore[assignment]
    field = {"name": "a", "logicalType": "object", "properties": [inner]}
    document = contract([field], {"arrivalCalendar": {"timeZone": "Moon"}}) | {
        "slaProperties": [{"property": "fy", "value": 1, "schedule": "daily"}]
    }
    (tmp_path / "c.json").write_text(json.dumps(document))

    done = CliRunner().invoke(app, ["contract", "lint", str(tmp_path / "c.json"), "--json"])

    assert done.exit_code == 1
    told = {
        one["rule"]: (one["path"], one["message"]) for one in json.loads(done.stdout)["findings"]
    }
    assert told == {
        "contract.schedule": (
            "/slaProperties/0/schedule",
            "'daily' is no cron expression of five fields that names a time.",
        ),
        "contract.calendar": (
            "/customProperties/0/value",
            "The calendar of arrivals names the time zone 'Moon', which is none.",
        ),
        "contract.timezone": (
            "/schema/0/properties/0/properties/0/logicalTypeOptions/defaultTimezone",
            "'Mars/Base' is no time zone.",
        ),
    }


def test_lint_warns_and_refuses_nothing_for_it(tmp_path: Any) -> None:
    (tmp_path / "c.json").write_text(json.dumps(DOCUMENT))
    run = CliRunner(env={"COLUMNS": "400"})

    shown = run.invoke(app, ["contract", "lint", str(tmp_path / "c.json")])
    done = run.invoke(app, ["contract", "lint", str(tmp_path / "c.json"), "--json"])

    assert (shown.exit_code, done.exit_code) == (0, 0)
    told = json.loads(done.stdout)
    assert (told["findings"], [one["rule"] for one in told["warnings"]]) == ([], ["format"] * 2)
    assert "Warning: " in shown.output
    assert "/schema/0/properties/0/logicalTypeOptions/format: The values of account" in shown.output
