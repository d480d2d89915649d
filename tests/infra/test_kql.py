"""Every query means something: to Microsoft's parser, and to the telemetry that the code emits."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.infra.bicep.checking import INFRA, plan
from tests.infra.entities import ROOT
from tests.infra.queries import Answer, Query, alerts, ask, files, of_workbook, workbook

GOOD = (
    'AppMetrics | where Name == "mesh.rows" | summarize Rows = sum(Sum) by bin(TimeGenerated, 1h)'
)

PLANTED = {
    "KS142": 'AppRequests | where Sucess == false | where Properties["mesh.step"] == "land"',
    "KS204": "AppRequest | count",
    "KS211": "AppRequests | summarize n = percentil(DurationMs, 95)",
    "KS176": "AppRequests | summarise count()",
    "property": 'AppRequests | where Properties["mesh.domian"] == "geo"',
    "metric": 'AppMetrics | where Name == "mesh.row" | summarize sum(Sum)',
    "dimension": 'AppMetrics | where Name == "mesh.rows" | summarize sum(Sum) by '
    'tostring(Properties["mesh.outcome"])',
    "step": 'AppRequests | where tostring(Properties["mesh.step"]) == "landing"',
}
"""One mistake of each kind, by the code it is reported under."""


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    """To everything at once: loading the parser takes longest."""
    planted = [Query(name=f"planted {code}", text=text) for code, text in PLANTED.items()]
    broken = [replace(query, name=f"broken {query.name}") for query in of_workbook(_broken())]
    return ask([*_ours(), Query(name="good", text=GOOD), *planted, *broken])


def _ours() -> list[Query]:
    return [*files(), *alerts(), *workbook()]


def _broken() -> Any:
    text = (INFRA / "workbook.json").read_text(encoding="utf-8")
    return json.loads(text.replace("mesh.notifications", "mesh.notificatoins"))


def test_every_query_is_right(answers: dict[str, Answer]) -> None:
    wrong = {
        query.name: answers[query.name].problems
        for query in _ours()
        if answers[query.name].problems
    }

    assert len(_ours()) > 30
    assert wrong == {}


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_mistake_is_noticed(code: str, answers: dict[str, Answer]) -> None:
    assert answers["good"].problems == ()
    assert answers["good"].columns == ("TimeGenerated", "Rows")
    assert code in {found for found, _ in answers[f"planted {code}"].problems}


def test_mistakes_in_a_workbook_are_noticed(answers: dict[str, Answer]) -> None:
    concerned = {query.name for query in workbook() if "mesh.notifications" in query.text}
    noticed = {name for name, told in answers.items() if name[:6] == "broken" and told.problems}

    assert concerned
    assert noticed == {f"broken {name}" for name in concerned}


def test_every_query_of_the_workbook_is_looked_at() -> None:
    text = (INFRA / "workbook.json").read_text(encoding="utf-8")

    assert len(workbook()) == text.count('"query": ')
    assert len({query.name for query in workbook()}) == len(workbook())


def test_every_alert_has_its_file_and_its_page() -> None:
    rules = plan("public").deployed("Microsoft.Insights/scheduledQueryRules")
    names = {rule.name.removeprefix("mesh-") for rule in rules}
    stored = {path.stem for path in (INFRA / "kql" / "alerts").glob("*.kql")}

    assert names == stored
    for rule in rules:
        name = rule.name.removeprefix("mesh-")
        held = rule.body["properties"]
        assert held["description"].endswith(f"docs/runbook.md#{name}")
        assert held["actions"]["customProperties"]["runbook"].endswith(f"#{name}")
    headings = re.findall(
        r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text("utf-8"), re.MULTILINE
    )
    assert names <= {re.sub(r"[^\w-]", "", one.lower().replace(" ", "-")) for one in headings}


def test_every_alert_can_tell_when(answers: dict[str, Answer]) -> None:
    assert all("TimeGenerated" in answers[query.name].columns for query in alerts())


def test_silence_names_the_domains_that_are_deployed() -> None:
    [silence] = [query for query in alerts() if query.name.endswith("silence")]

    assert 'dynamic(["geo","market-data","weather"])' in silence.text
    assert "__DOMAINS__" not in silence.text


@pytest.mark.parametrize("name", ["dead-letters", "freshness", "silence"])
def test_an_alert_counts_rows(name: str) -> None:
    [rule] = [
        rule
        for rule in plan("public").deployed("Microsoft.Insights/scheduledQueryRules")
        if rule.name == f"mesh-{name}"
    ]
    [criterion] = rule.body["properties"]["criteria"]["allOf"]

    assert (criterion["timeAggregation"], criterion["operator"]) == ("Count", "GreaterThan")
    assert criterion["threshold"] == 0
