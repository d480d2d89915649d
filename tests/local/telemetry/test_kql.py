"""Queries give what Kusto gives, as far as the subset goes; the rest is refused by name."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.telemetry import kql
from local.telemetry.kql import KqlError
from local.telemetry.kql.functions import as_text
from local.telemetry.store import Store
from tests.local.telemetry.conftest import SECOND, START, new_log, new_point, new_span
from tests.thorough import examples

NOW = START // 1000 + 3_600_000_000
"""An hour after START, in microseconds."""


@pytest.fixture
def filled(store: Store) -> Store:
    """Six requests, half of them failed, a dependency, some points and a record."""
    store.add_spans(
        new_span(
            trace=f"t{number % 3}",
            span=f"s{number}",
            name=("land", "notify")[number % 2],
            start=START + number * 600 * SECOND,
            end=START + number * 600 * SECOND + (number + 1) * SECOND // 10,
            failed=number % 2 == 1,
            attributes={"mesh.step": "x'y" if number == 5 else "go", "mesh.rows": number * 10},
        )
        for number in range(6)
    )
    store.add_spans([new_span(kind=4, name="publish", trace="t0", span="p")])
    for name, value in (("drops", 2.0), ("drops", 3.0), ("age", 7.5)):
        store.add_points([new_point(name=name, value=value, attributes={"mesh.domain": "geo"})])
    store.add_logs([new_log(trace="t1", body="Slow Receiver-7 answered")])
    return store


def rows(store, text):
    return kql.run(store, text, now=NOW).rows


def value(store, expression):
    [[found]] = rows(store, f"print {expression}")
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("AppRequests | count", [[6]]),
        ("AppRequests | where Success == false | count", [[3]]),
        ("AppRequests | where Name == 'land' and DurationMs > 150 | project Id", [["s2"], ["s4"]]),
        ("AppRequests | summarize n = count() by Name | order by Name asc", [["land", 3]]),
        ("AppRequests | summarize by Name | order by Name", [["notify"], ["land"]]),
        ("AppRequests | top 2 by DurationMs | project Id", [["s5"], ["s4"]]),
        ("AppRequests | top 1 by DurationMs asc | project Id", [["s0"]]),
        ("AppRequests | take 0", []),
        ("AppRequests | distinct OperationId | count", [[3]]),
        ("union AppRequests, AppDependencies | count", [[7]]),
        ("AppRequests | union (AppDependencies | where Name == 'publish') | count", [[7]]),
        (
            (
                "union withsource = T AppRequests, AppDependencies | summarize n = count() by T "
                "| order by T asc"
            ),
            [["AppDependencies", 1], ["AppRequests", 6]],
        ),
        ("AppRequests | where tolong(Properties['mesh.rows']) >= 40 | count", [[2]]),
        ("AppRequests | where Properties['mesh.rows'] == 40 | project Id", [["s4"]]),
        ("AppRequests | where Properties['mesh.step'] == \"x'y\" | project Id", [["s5"]]),
        ("AppRequests | where isempty(tostring(Properties.none)) | count", [[6]]),
        ("AppRequests | where Name in ('land', 'other') | count", [[3]]),
        ("AppRequests | where Name !in ('land') | count", [[3]]),
        ("AppRequests | where Name in~ ('LAND') | count", [[3]]),
        ("AppRequests | where OperationId in ((AppDependencies | project OperationId)) | count", 2),
        (
            (
                "let T = AppDependencies | distinct OperationId; "
                "AppRequests | where OperationId in (T) | count"
            ),
            [[2]],
        ),
        ("AppRequests | where DurationMs between (200 .. 400) | count", [[3]]),
        ("AppRequests | where DurationMs !between (200 .. 400) | count", [[3]]),
        ("AppRequests | where TimeGenerated > ago(30m) | count", [[2]]),
        ("AppRequests | where TimeGenerated >= datetime(2026-11-18) | count", [[6]]),
        ("AppMetrics | where Name == 'drops' | summarize Total = sum(Sum)", [[5.0]]),
        ("AppMetrics | summarize Total = sum(Sum) by Name | order by Total", [["age", 7.5]]),
        ("AppMetrics | where Name == 'none' | summarize n = count(), s = sum(Sum)", [[0, 0]]),
        ("AppTraces | where Message has 'receiver' | count", [[1]]),
        ("AppTraces | where Message has 'receiv' | count", [[0]]),
        ("AppTraces | where Message contains 'receiv' | count", [[1]]),
        ("AppTraces | where Message !contains 'receiv' | count", [[0]]),
        ("AppTraces | where Message startswith 'slow' | count", [[1]]),
        ("AppTraces | where Message startswith_cs 'slow' | count", [[0]]),
        ("AppTraces | where Message endswith 'ANSWERED' | count", [[1]]),
        ("AppTraces | where Message =~ 'slow receiver-7 ANSWERED' | count", [[1]]),
        ("AppRequests | extend Late = DurationMs > 400 | summarize countif(Late)", [[2]]),
        ("AppRequests | summarize max(DurationMs), min(DurationMs)", [[600.0, 100.0]]),
        ("AppRequests | summarize arg_max(DurationMs, Id, Name)", [[600.0, "s5", "notify"]]),
        ("AppRequests | summarize arg_min(DurationMs, *) | project Id", [["s0"]]),
        ("AppRequests | summarize dcount(OperationId)", [[3]]),
        ("AppRequests | summarize P = percentile(DurationMs, 50)", [[300.0]]),
        ("AppRequests | summarize P = percentilew(DurationMs, ItemCount, 95)", [[600.0]]),
        ("AppRequests | summarize M = sum(DurationMs) / count() / 100", [[3.5]]),
        ("AppRequests | project-away Properties | project-rename N = Name | project N | take 1", 1),
        ("AppRequests | where not(Success) or Name == 'land' | count", [[6]]),
        ("AppRequests | summarize n = count() | render timechart with (title='x')", [[6]]),
        ("// a comment\nAppRequests // more\n| count;", [[6]]),
        ("print A = dynamic(['a', 'b']) | mv-expand A to typeof(string)", [["a"], ["b"]]),
        (
            (
                "let d = AppDependencies | project OperationId, Other = Name; AppRequests "
                "| join kind=inner d on OperationId | project Id, Other | order by Id asc"
            ),
            [["s0", "publish"], ["s3", "publish"]],
        ),
        (
            (
                "AppRequests | join kind=leftouter (AppDependencies | project OperationId, Name) "
                "on OperationId | where isnull(Name1) | count"
            ),
            [[4]],
        ),
        ("AppRequests | join kind=leftanti AppDependencies on OperationId | count", [[4]]),
        ("AppRequests | join kind=leftsemi AppDependencies on OperationId | count", [[2]]),
        (
            (
                "AppRequests | join kind=inner (AppDependencies | project O = OperationId) "
                "on $left.OperationId == $right.O | count"
            ),
            [[2]],
        ),
    ],
)
def test_a_query_gives_what_kusto_would(filled, query, expected):
    found = rows(filled, query)

    if isinstance(expected, int):
        assert len(found) == 1
        assert expected in {1, *found[0]}
    else:
        assert found[: len(expected)] == expected
        assert len(found) == len(expected) or len(expected) == 1


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7 / 2", 3),
        ("7 / 2.0", 3.5),
        ("-3 + 2 * (1 + 1)", 1),
        ("iff(1 == 1, 'a', 'b')", "a"),
        ("case(1 > 2, 'a', 2 > 1, 'b', 'c')", "b"),
        ("coalesce('', 'x')", "x"),
        ("strcat('a', 1, 'b', 2.5)", "a1b2.5"),
        ("toupper('ab')", "AB"),
        ("substring('abcdef', 1, 3)", "bcd"),
        ("strlen('añb')", 3),
        ("split('geography/countries', '/', 1)", "countries"),
        ("tobool('True')", True),
        ("toint('12')", 12),
        ("todouble('')", None),
        ("bin(17, 5)", 15),
        ("bin(1.7, 0.5)", 1.5),
        ("round(2.456, 2)", 2.46),
        ("1h + 30m", "01:30:00"),
        ("2d / 1h", 48.0),
        ("1h * 25", "1.01:00:00"),
        ("datetime(2026-11-22) + 90s", "2026-11-22T00:01:30.0000000Z"),
        ("datetime(2026-11-22 06:00) - datetime(2026-11-21)", "1.06:00:00"),
        ("bin(datetime(2026-11-22 06:47), 15m)", "2026-11-22T06:45:00.0000000Z"),
        ("datetime_diff('day', datetime(2026-11-22), datetime(2026-11-20 23:59))", 2),
        ("tostring(1500ms)", "00:00:01.5000000"),
        ('"it\'s"', "it's"),
        ("todouble('no')", None),
        (r"'a\\b\n'", "a\\b\n"),
        ("isnotempty('x') and not(isempty('x'))", True),
    ],
)
def test_an_expression_has_the_value_it_has_in_kusto(store, expression, expected):
    assert value(store, expression) == expected


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("Requests | count", "line 1, column 1: there is no table 'Requests'; these are: AppReq"),
        ("AppRequests\n| where Nme == 'a'", "line 2, column 9: there is no column 'Nme'"),
        ("AppRequests | make-series count()", "the operator 'make-series' is not supported"),
        ("AppRequests | parse Name with x", "the operator 'parse' is not supported here"),
        ("AppRequests | where hash(Name) == 1", "the function 'hash' is not supported here"),
        ("AppRequests | where count() > 1", "count is an aggregate, and cannot stand here"),
        ("AppRequests | summarize Name", "summarize takes aggregates; these are: arg_max"),
        ("AppRequests | summarize sum(max(DurationMs))", "max is an aggregate"),
        ("AppRequests | summarize sum(Properties.x)", "sum takes no dynamic value; convert it"),
        ("AppRequests | summarize percentile(DurationMs)", "takes another number of arguments"),
        ("AppRequests | summarize arg_max(DurationMs, Id), count()", "stand alone here"),
        ("AppRequests | where bin(DurationMs) > 1", "bin takes another number of arguments"),
        ("AppRequests | where DurationMs == 'a'", "real and string cannot be compared"),
        ("AppRequests | extend X = Name + 1", "string + long makes no sense"),
        ("AppRequests | where ago(5) < TimeGenerated", "ago takes a timespan, such as 1h"),
        ("AppRequests | where Name.x == 1", "a value of the type string has no members"),
        ("AppRequests | where Properties[1] == 1", "only a name in quotes may stand in brackets"),
        ("AppRequests | join AppTraces on OperationId", "a join is to say its kind"),
        ("AppRequests | join kind=fullouter AppTraces on Id", "a join is to say its kind"),
        ("AppRequests | join kind=inner AppTraces on Id", "there is no column 'Id'"),
        ("AppRequests | project-away Nme", "there is no column 'Nme'"),
        ("AppRequests | take x", "expected a number of rows, found 'x'"),
        ("AppRequests | where", "expected a value, found 'the end'"),
        ("AppRequests where Name == 'a'", "expected '|' or the end, found 'where'"),
        ("AppRequests | where Name ! 'a'", "expected '|' or the end, found '!'"),
        ("AppRequests | where Name == `a`", "'`' has no meaning here"),
        ("print datetime(yesterday)", "'yesterday' is no date or time in ISO 8601"),
        ("print dynamic([ago(1h)])", "a dynamic list holds constants"),
        ("print A = 1 | mv-expand A to typeof(guid)", "mv-expand does not give 'guid' here"),
        (
            "union (AppRequests | project X = Name), (AppTraces | project X = SeverityLevel)",
            "the column 'X' has two types, string and long",
        ),
        ("AppRequests | project *", "'*' has no value"),
        ("print datetime_diff('moon', now(), now())", "SQLite could not run it"),
    ],
)
def test_what_is_not_in_the_subset_is_refused_with_the_reason(store, query, why):
    with pytest.raises(KqlError) as refused:
        kql.run(store, query)

    assert why in str(refused.value)


def test_a_names_text_stays_text(filled):
    filled.add_spans([new_span(name='"; DROP TABLE spans; --')])

    found = rows(filled, "AppRequests | where Name == '\"; DROP TABLE spans; --' | project Name")
    assert found == [['"; DROP TABLE spans; --']]


def test_columns_have_their_names_and_types(filled):
    answer = kql.run(
        filled,
        "AppRequests | summarize count(), max(DurationMs), X = dcount(Name) "
        "by bin(TimeGenerated, 1h), Name",
        now=NOW,
    )

    assert [(column.name, column.type) for column in answer.columns] == [
        ("TimeGenerated", "datetime"),
        ("Name", "string"),
        ("count_", "long"),
        ("max_DurationMs", "real"),
        ("X", "long"),
    ]
    assert answer.records()[0]["TimeGenerated"].endswith(":00:00.0000000Z")


@settings(max_examples=examples(100))
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 1e6)), min_size=1, max_size=40),
    st.integers(1, 100),
)
def test_aggregates_are_those_of_the_values(points, percent):
    store = Store()
    store.add_points(new_point(name=name, value=value) for name, value in points)
    found = rows(
        store,
        f"AppMetrics | summarize count(), sum(Sum), min(Sum), max(Sum), P = percentile(Sum, "
        f"{percent}) by Name | order by Name asc",
    )
    store.close()

    counts = Counter(name for name, _ in points)
    assert [row[0] for row in found] == sorted(counts)
    for name, count, total, low, high, percentile in found:
        values = sorted(value for other, value in points if other == name)
        assert (count, low, high) == (len(values), values[0], values[-1])
        assert total == pytest.approx(math.fsum(values))
        assert sum(value <= percentile for value in values) >= len(values) * percent / 100
        assert sum(value < percentile for value in values) < len(values) * percent / 100 + 1e-9


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_a_timespan_is_written_so_that_it_can_be_read(span):
    microseconds = span // timedelta(microseconds=1)
    text = as_text(microseconds, "timespan")

    sign = -1 if text.startswith("-") else 1
    *days, clock = text.lstrip("-").replace(":", " ").rsplit(" ", 2)[0].rpartition(".")[::2]
    whole = timedelta(days=int(days[0] or 0), hours=int(clock))
    minutes, seconds = text.rsplit(":", 2)[1:]
    whole += timedelta(minutes=int(minutes), seconds=float(seconds))
    assert abs(sign * whole - span) < timedelta(microseconds=1)


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_moment_is_written_so_that_it_can_be_read(microseconds):
    text = as_text(microseconds, "datetime")

    moment = datetime.fromisoformat(text.removesuffix("0Z") + "+00:00")
    assert (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == microseconds
