"""How new data is promised to be: a `latency` of a field, against the newest value of a file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from mesh.model.contract import DataContract
from mesh.model.contract_check import check_contract, unchecked_findings
from mesh.validation import (
    FileFormat,
    NullSink,
    Plan,
    PublishingSink,
    ValidationReport,
    check_ages,
    validate,
)
from tests.unit.conftest import World, declaration
from tests.unit.conftest import contract as countries_contract
from tests.unit.test_expectations import COUNTRIES, PLACE, told
from tests.unit.validation.files import contract, plan_of

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOMENT = {"name": "at", "logicalType": "timestamp"}


def latency(value: Any = 2, unit: str = "d", element: str = "rows.at", **more: Any) -> Any:
    return {"property": "latency", "value": value, "unit": unit, "element": element} | more


def promising(
    *fields: Mapping[str, Any], level: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    document = contract([{"name": "id", "logicalType": "integer"}, *fields])
    return document | {"slaProperties": [level or latency()]} | more


def judged(plan: Plan, rows: Sequence[Mapping[str, Any]], at: datetime = AT) -> ValidationReport:
    file_format = FileFormat.from_name("rows.jsonl")
    assert isinstance(file_format, FileFormat)
    sink = PublishingSink(NullSink(), plan, file_format)
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    report = validate(plan, [text], file_format=file_format, sink=sink)
    published = sink.publish(io.BytesIO())
    sink.close()
    return check_ages(plan, report, published, at)


def said(document: Mapping[str, Any], *values: Any) -> list[str]:
    name = document["schema"][0]["properties"][1]["name"]
    rows = [{"id": number, name: value} for number, value in enumerate(values)]
    return [warning.message for warning in judged(plan_of(document), rows).warnings]


def option(**options: Any) -> dict[str, Any]:
    return {"logicalTypeOptions": options}


OLD = "at: the newest value, {}, was more than 2 d old when the file came."


@pytest.mark.parametrize(
    ("field", "fresh", "stale", "shown"),
    [
        (MOMENT, "2026-11-21T12:00:00Z", "2026-11-21T11:59:59Z", "2026-11-21 11:59:59.000000Z"),
        (
            MOMENT | option(timezone=False),
            "2026-11-21T12:00:00",
            "2026-11-21T11:59:59",
            "2026-11-21 11:59:59.000000",
        ),
        (
            MOMENT | option(timezone=False, defaultTimezone="Asia/Tokyo"),
            "2026-11-21T21:00:00",
            "2026-11-21T20:59:59",
            "2026-11-21 20:59:59.000000",
        ),
        (
            MOMENT | option(format="yyyy-MM-dd HH:mm"),
            "2026-11-21 12:00",
            "2026-11-21 11:59",
            "2026-11-21 11:59",
        ),
        (
            {"name": "at", "logicalType": "date"} | option(format="yyyy-MM-dd HH:mm"),
            "2026-11-21 12:00",
            "2026-11-21 11:59",
            "2026-11-21 11:59",
        ),
        # A date lasts until its end.
        ({"name": "at", "logicalType": "date"}, "2026-11-21", "2026-11-20", "2026-11-20"),
        (
            {"name": "at", "logicalType": "date"} | option(format="dd.MM.yyyy"),
            "21.11.2026",
            "20.11.2026",
            "2026-11-20",
        ),
        (
            {"name": "at", "logicalType": "string"} | option(format="date-time"),
            "2026-11-21T13:00:00+01:00",
            "2026-11-21T12:59:59+01:00",
            "2026-11-21 11:59:59.000000Z",
        ),
    ],
)
def test_the_newest_value_is_no_older_than_is_promised(
    field: dict[str, Any], fresh: str, stale: str, shown: str
) -> None:
    document = promising(field)

    assert said(document, stale, fresh, None) == []
    assert said(document, stale, None) == [OLD.format(shown)]
    assert said(document, None) == ["How new at is was not checked: it has no value that tells."]


def test_a_file_without_good_rows_has_no_age() -> None:
    document = promising(MOMENT) | {
        "customProperties": [
            {"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 1}}
        ]
    }
    [warning] = judged(plan_of(document), [{"id": "x", "at": None}]).warnings or [None]

    assert warning is None


def test_a_secret_is_not_told() -> None:
    document = promising(MOMENT | {"classification": "restricted"})

    assert said(document, "2026-11-01T00:00:00Z") == [
        "at: the newest value was more than 2 d old when the file came."
    ]


@pytest.mark.parametrize(
    ("level", "stale"),
    [
        (latency(36, "hours"), True),
        (latency(4), False),
        (latency(element="at"), True),  # there is one object
        (latency(property="Freshness"), True),
        (latency(property="ly"), True),
        (latency(element="rows.id"), False),
        (latency(element="rows"), False),
        (latency(property="retention", value=1), False),
    ],
)
def test_the_level_says_of_what_and_how_long(level: dict[str, Any], stale: bool) -> None:
    assert bool(said(promising(MOMENT, level=level), "2026-11-20T12:00:00Z")) is stale


def test_a_level_without_element_is_about_the_default_one() -> None:
    level = {"property": "latency", "value": 2, "unit": "d"}
    document = promising(MOMENT, level=level, slaDefaultElement="rows.at")

    assert said(document, "2026-11-20T12:00:00Z") == [OLD.format("2026-11-20 12:00:00.000000Z")]
    [finding] = check_contract(document | {"slaDefaultElement": "rows.b"}, file="c")
    assert (finding.path, finding.rule) == ("/slaDefaultElement", "odcs.sla.element")


def test_a_time_zone_that_is_none_is_told() -> None:
    document = promising(MOMENT | option(timezone=False, defaultTimezone="Mars/Base"))

    assert said(document, "2026-11-20T12:00:00") == [
        "How new at is was not checked: 'Mars/Base' is no time zone."
    ]


HELD = {"name": "held", "logicalType": "object", "properties": [MOMENT]}


@pytest.mark.parametrize(
    ("field", "level", "why"),
    [
        (HELD, latency(element="rows.held.at"), "held.at is was not checked: it is within an obj"),
        (
            MOMENT | option(format="dd/MM/yyyy HH:mm"),
            latency(),
            "at is was not checked: its values, written as dd/MM/yyyy HH:mm, are published as text",
        ),
    ],
)
def test_what_cannot_be_told_is_said_by_lint_and_in_the_receipt(
    field: dict[str, Any], level: dict[str, Any], why: str
) -> None:
    document = promising(field, level=level)

    [finding] = unchecked_findings(document, file="c")
    [warning] = judged(plan_of(document), [{"id": 1}]).warnings

    assert why in warning.message
    assert (finding.path, finding.rule, finding.message, finding.remedy) == (
        "/slaProperties/0",
        "latency",
        warning.message,
        warning.remedy,
    )


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (latency("daily"), "A latency is a time, not daily d."),
        (latency(0), "A latency is a time, not 0 d."),
        (latency(value=True), "A latency is a time, not True d."),
        (latency(unit="fortnight"), "A latency is a time, not 2 fortnight."),
        (latency(unit="ms"), "A latency is a time, not 2 ms."),
        (latency(20, "years"), "A latency is at most 3660 days, not 20 years."),
        (latency(5, "s", property="frequency"), "A frequency is at least 60 seconds, not 5 s."),
    ],
)
def test_a_period_that_says_nothing_is_refused(level: dict[str, Any], said: str) -> None:
    [finding] = check_contract(promising(MOMENT, level=level), file="c")

    assert (finding.path, finding.rule, finding.message) == (
        "/slaProperties/0/value",
        "contract.period",
        said,
    )
    assert finding.remedy == (
        "Write a number greater than 0, and its unit: s, min, h, d, w, mo or y."
    )


def test_a_schedule_needs_no_period() -> None:
    level = {"property": "fy", "value": None, "schedule": "0 6 * * *", "scheduler": "cron"}

    assert check_contract(promising(MOMENT, level=level), file="c") == []
    made = DataContract.from_document(promising(MOMENT, level=level))
    assert made.objects["rows"].freshness == ()


# -- In the mesh, and offline ----------------------------------------------------------------------


def test_a_receipt_of_the_mesh_warns_and_the_file_is_accepted(world: World) -> None:
    fields = countries_contract()["schema"][0]["properties"]
    fields.append({"name": "at", "logicalType": "timestamp"})
    document = countries_contract(more={"slaProperties": [latency(element="countries.at")]})
    document["schema"][0]["properties"] = fields
    saga = world.onboard(declaration(COUNTRIES, document))
    assert saga.status == "registered", saga.findings

    text = b"code,name,at\nCH,Switzerland,2026-11-01T00:00:00Z\n"
    entry = world.land(f"{PLACE}/all.csv", text)

    receipt = json.loads(world.storage.blobs[entry.receipt].data)
    assert (entry.verdict.value, [w["rule"] for w in receipt["warnings"]]) == (
        "accepted",
        ["latency"],
    )
    assert told(world) == []


@pytest.mark.parametrize("as_parquet", [False, True])
def test_a_check_warns_of_it(tmp_path: Any, as_parquet: bool) -> None:
    (tmp_path / "c.json").write_text(json.dumps(promising(MOMENT)))
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "at": "2020-01-01T00:00:00Z"}\n')
    out = ["--out", str(tmp_path / "out")] if as_parquet else []

    done = CliRunner().invoke(
        app,
        [
            *("check", str(tmp_path / "rows.jsonl"), "--contract", str(tmp_path / "c.json")),
            *("--json", *out),
        ],
    )

    receipt = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [warning["rule"] for warning in receipt["warnings"]] == ["latency"]
    assert ("manifest" in receipt) is as_parquet
