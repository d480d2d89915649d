"""Every case of `tests/corpus/validation`, with the fast path and without it, cut anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mesh.validation import Limits
from tests.unit.validation.files import contract, judge, plan_of

CORPUS = Path(__file__).resolve().parents[2] / "corpus" / "validation"


def cases() -> list[Any]:
    return [
        pytest.param({"file": f"rows.{path.stem}", **case}, id=f"{path.stem}: {case['case']}")
        for path in sorted(CORPUS.glob("*.json"))
        for case in json.loads(path.read_text(encoding="utf-8"))
    ]


def document(case: dict[str, Any]) -> dict[str, Any]:
    version = case.get("apiVersion", "v3.2.0")
    return contract(case["properties"], case.get("custom"), api_version=version)


def content(case: dict[str, Any]) -> bytes:
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    if "repeat" in case:
        before, text, times, after = case["repeat"]
        return (before + text * times + after).encode()
    return str(case["text"]).encode()


@pytest.mark.parametrize("case", cases())
def test_the_case_is_judged_as_written(case: dict[str, Any]) -> None:
    plan = plan_of(document(case))
    data = content(case)
    limits = Limits(record_bytes=case.get("limit", 4 << 20))
    outcomes = [
        judge(plan, data, case["file"], chunk=chunk, limits=limits)
        for chunk in (len(data) + 1, 1000 if len(data) > 1000 else 1)
    ]
    assert outcomes[0] == outcomes[1]
    report = outcomes[0].report
    wanted = [tuple(entry) for entry in case.get("violations", [])]
    assert outcomes[0].named == wanted
    problem = case.get("problem")
    assert [(item.rule, problem[1] in item.message) for item in report.problems] == (
        [(problem[0], True)] if problem else []
    )
    if "lines" in case:
        assert [item["line"] for item in outcomes[0].violations] == case["lines"]
    if "rows" in case:
        assert report.rows == case["rows"]
    expected = case.get("verdict", "rejected" if wanted or problem else "accepted")
    assert report.verdict == expected
    assert report.rejected == len({entry[0] for entry in wanted})


@pytest.mark.parametrize("case", [case for case in cases() if "problem" not in case.values[0]])
def test_every_byte_goes_to_one_side(case: dict[str, Any]) -> None:
    plan = plan_of(document(case))
    data = content(case)
    outcome = judge(plan, data, case["file"], chunk=4096)
    for item in outcome.violations:
        if "encoding" not in json.dumps(case):
            raw = data[item["byte_start"] : item["byte_end"]]
            assert raw.rstrip(b"\n") in outcome.rejected
    if "custom" not in case and not outcome.rejected:
        assert outcome.accepted == data.removeprefix(b"\xef\xbb\xbf")
