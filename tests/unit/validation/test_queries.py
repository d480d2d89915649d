"""Rules that are SQL: what they say of a file, and that nothing gets out of where they run."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from mesh.model.contract import DataContract
from mesh.validation import (
    FileFormat,
    NullSink,
    Plan,
    PublishingSink,
    QueryLimits,
    ValidationReport,
    check_queries,
    compile_object,
    validate,
)
from mesh.validation.queries import query_of, sql_rules
from tests.unit.validation.files import contract

CSV = FileFormat.from_name("rows.csv")
FIELDS: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "integer", "required": True},
    {"name": "of", "physicalName": 'Of "it"', "logicalType": "string"},
    {"name": "price", "logicalType": "number", "logicalTypeOptions": {"multipleOf": 0.01}},
    {"name": "day", "logicalType": "date"},
    {"name": "at", "logicalType": "timestamp"},
    {"name": "ok", "logicalType": "boolean"},
    {"name": "big", "logicalType": "integer"},
]
ROWS = (
    'id,"Of ""it""",price,day,at,ok,big\n'
    "1,a,19.90,2026-01-31,2026-01-31T12:00:00+01:00,true,1\n"
    "2,,0.10,2026-02-01,2026-02-01T12:00:00Z,false,2\n"
    "3,a,5,,,,3\n"
)  # fmt: skip


def planned(*rules: dict[str, Any], at: int | None = None, **more: Any) -> Plan:
    """A plan with SQL rules, at a field or at the object."""
    told = [{"type": "sql", **rule} for rule in rules]
    document = contract([dict(field) for field in FIELDS], **more)
    [element] = document["schema"]
    holder = element if at is None else element["properties"][at]
    holder["quality"] = told
    return compile_object(DataContract.from_document(document), "rows")


def judged(plan: Plan, text: str = ROWS, limits: QueryLimits | None = None) -> ValidationReport:
    assert isinstance(CSV, FileFormat)
    sink = PublishingSink(NullSink(), plan, CSV)
    try:
        report = validate(plan, [text.encode()], file_format=CSV, sink=sink)
        return check_queries(plan, report, sink.publish, limits)
    finally:
        sink.close()


def said(query: str, limits: QueryLimits | None = None, text: str = ROWS) -> str:
    """Why a query fails; empty when it does not."""
    report = judged(planned({"query": query, "mustBe": 0}), text, limits)
    assert (report.verdict == "accepted") is not bool(report.problems)
    return " ".join(problem.message for problem in report.problems)


def messages(queries: list[str], limits: QueryLimits | None = None) -> list[str]:
    """Why each of these queries has no answer."""
    rules = [{"query": query, "mustBe": 0} for query in queries]
    report = judged(planned(*rules), limits=limits)
    assert report.verdict == "rejected"
    found = [problem.message for problem in report.problems]
    for number, message in enumerate(found):
        start = f"The query at /schema/0/quality/{number} could not be checked: "
        assert message.startswith(start)
    assert len(found) == len(queries)
    return found


class TestAnswers:
    def test_queries_are_asked_of_the_typed_rows(self) -> None:
        asked: dict[str, Any] = {
            "SELECT count(*) FROM {object}": 3,
            "SELECT count(*) FROM ${object}": 3,
            'SELECT count(*) FROM "${table}"': 3,
            "SELECT count(*) FROM rows": 3,
            'SELECT count(*) FROM rows WHERE "Of ""it""" IS NULL': 1,
            "SELECT sum(price) FROM rows": 25,
            "SELECT max(price) - min(price) FROM rows": 19.8,
            "SELECT count(*) FROM rows WHERE day > DATE '2026-01-31'": 1,
            "SELECT count(*) FROM rows WHERE \"at\" = TIMESTAMP '2026-01-31 11:00:00'": 1,
            "SELECT avg(id) FROM rows": 2.0,
            "SELECT sum(big) FROM rows": 6,
            "SELECT bool_or(ok) FROM rows": True,
            "WITH a AS (SELECT id FROM rows) SELECT count(*) FROM a x, a y WHERE x.id < y.id": 3,
            "SELECT count(*) FROM rows -- and no more;": 3,
            "SELECT count(*) FROM rows;": 3,
            "FROM rows SELECT count(*)": 3,
            f"SELECT {2**126}::HUGEINT": 2**126,
        }
        rules = [{"query": query, "mustBe": answer} for query, answer in asked.items()]

        report = judged(planned(*rules))

        assert [problem.message for problem in report.problems] == []
        assert (report.verdict, report.warnings) == ("accepted", ())

    def test_at_a_property_it_may_name_the_property(self) -> None:
        rule = {"query": "SELECT count({property}) + count(${column}) FROM {object}"}

        assert judged(planned({**rule, "mustBe": 4}, at=1)).verdict == "accepted"
        report = judged(planned({**rule, "mustBe": 3, "name": "said"}, at=1))
        assert [problem.message for problem in report.problems] == [
            'said: the answer to the query about Of "it" must be 3; it is 4.'
        ]

    def test_the_operators_compare_as_those_of_metrics_do(self) -> None:
        broken = {
            "mustBe": [4, 2.5],
            "mustNotBe": [3, 3.0],
            "mustBeGreaterThan": [3, 4],
            "mustBeGreaterOrEqualTo": [3.5],
            "mustBeLessThan": [3, 2],
            "mustBeLessOrEqualTo": [2],
            "mustBeBetween": [[4, 5], [0, 2.5]],
            "mustNotBeBetween": [[3, 5], [0, 3]],
        }
        held = {
            "mustBe": [3, 3.0],
            "mustNotBe": [4],
            "mustBeGreaterThan": [2],
            "mustBeGreaterOrEqualTo": [3, 2],
            "mustBeLessThan": [3.5],
            "mustBeLessOrEqualTo": [3, 4],
            "mustBeBetween": [[3, 5], [0, 3]],
            "mustNotBeBetween": [[4, 5]],
        }
        query = "SELECT count(*) FROM rows"
        rules = [
            {"query": query, operator: limit, "name": name}
            for name, cases in (("broken", broken), ("held", held))
            for operator, limits in cases.items()
            for limit in limits
        ]

        problems = judged(planned(*rules)).problems

        names = [problem.message.partition(":")[0] for problem in problems]
        assert names == ["broken"] * sum(map(len, broken.values()))

    def test_a_truth_is_no_number(self) -> None:
        rule = {"query": "SELECT bool_and(ok) FROM rows", "mustBe": True}

        [problem] = judged(planned(rule)).problems

        assert problem.message == "The answer to the query must be true; it is false."

    def test_the_unit_is_told_and_the_answer_taken_as_it_is(self) -> None:
        query = "SELECT 100.0 * count(*) FILTER (ok) / count(*) FROM rows"
        rule = {"query": query, "unit": "percent", "mustBeGreaterThan": 50, "name": "mostly"}

        [problem] = judged(planned(rule)).problems

        assert problem.message.startswith(
            "mostly: the answer to the query must be greater than 50 percent; it is 33.33"
        )
        assert problem.rule == "quality"
        assert "/schema/0/quality/0" in problem.remedy

    def test_a_rule_may_only_warn(self) -> None:
        broken = {"query": "SELECT 1", "mustBe": 0}

        report = judged(planned({**broken, "severity": "warning"}, {**broken, "severity": "info"}))

        assert (report.verdict, report.problems) == ("accepted", ())
        assert len(report.warnings) == 2

    def test_several_rules_are_each_asked(self) -> None:
        rules = [{"query": f"SELECT {n}", "mustBe": 2} for n in (1, 2, 3)]

        report = judged(planned({"query": "SELECT nothing", "mustBe": 0}, *rules))

        assert [problem.message.rpartition(" ")[2] for problem in report.problems][1:] == [
            "1.",
            "3.",
        ]

    def test_only_the_good_rows_are_asked(self) -> None:
        split = [{"property": "fileAcceptance", "value": {"mode": "split", "maxRejectedShare": 1}}]
        rule = {"query": "SELECT count(*) FROM rows", "mustBe": 3}
        plan = planned(rule, customProperties=split)

        assert judged(plan, ROWS + "x,,,,,,\n").verdict == "accepted"

    def test_a_file_that_is_refused_anyway_is_not_asked(self) -> None:
        report = judged(planned({"query": "SELECT 1", "mustBe": 1}), ROWS + "x,,,,,,\n")

        [warning] = report.warnings
        assert warning.message == (
            "The query at /schema/0/quality/0 was not checked: the file is refused without it."
        )

    def test_integers_of_more_digits_than_sql_has_are_texts(self) -> None:
        text = ROWS + f"4,,,,,,{10**60}\n"

        assert said("SELECT count(*) - 1 FROM rows WHERE length(big) = 61", text=text) == ""


class TestWhatIsNoAnswer:
    def test_the_file_is_refused_with_the_reason(self) -> None:
        reasons = {
            "SELECT 1, 2": "it gives not one value, but other rows or columns",
            "SELECT id FROM rows": "it gives not one value, but other rows or columns",
            "SELECT 1 WHERE false": "it gives not one value, but other rows or columns",
            "SELECT NULL": "it gives no value",
            "SELECT 'text'": "it gives neither a number nor true or false",
            "SELECT 'nan'::DOUBLE": "it gives neither a number nor true or false",
            "SELECT 'inf'::DOUBLE": "it gives neither a number nor true or false",
            "SELECT day FROM rows LIMIT 1": "it gives neither a number nor true or false",
            "SELECT [1]": "it gives neither a number nor true or false",
            "SELECT FROM WHERE": "Parser Error: ",
            "SELECT count(*) FROM others": "Table with name others does not exist",
            "SELECT price + day FROM rows": "Binder Error: ",
            "": "it is not one SELECT statement",
            "SELECT 1; SELECT 0": "it is not one SELECT statement",
        }
        for message, reason in zip(messages(list(reasons)), reasons.values(), strict=True):
            assert reason in message


class TestTheSandbox:
    def test_it_reads_no_file(self, tmp_path: Path) -> None:
        file = tmp_path / "secret.csv"
        file.write_text("a\n0\n")

        found = messages(
            [
                f"SELECT a FROM read_csv('{file}')",
                f"SELECT a FROM '{file}'",
                f"SELECT count(*) FROM read_text('{file}')",
                f"SELECT count(*) FROM read_blob('{file}')",
                f"SELECT count(*) FROM read_json('{file}')",
                f"SELECT count(*) FROM read_parquet('{file}')",
                f"SELECT count(*) FROM parquet_metadata('{file}')",
                f"SELECT count(*) FROM sniff_csv('{file}')",
                f"SELECT count(*) FROM glob('{tmp_path}/*')",
                f"SELECT count(*) FROM query('SELECT a FROM read_csv(''{file}'')')",
                f"SELECT count(*) FROM query_table('{file}')",
            ]
        )

        for message in found:
            assert "operations are disabled" in message or "Catalog Error" in message

    def test_it_does_nothing_but_select(self, tmp_path: Path) -> None:
        file = tmp_path / "out"

        found = messages(
            [
                f"COPY rows TO '{file}'",
                f"COPY (SELECT 1) TO '{file}'",
                f"EXPORT DATABASE '{file}'",
                f"ATTACH '{file}'",
                "INSTALL httpfs",
                "LOAD httpfs",
                f"LOAD '{file}'",
                "PRAGMA database_list",
                "SET memory_limit = '100GB'",
                "RESET enable_external_access",
                "CALL pragma_version()",
                "CREATE TABLE a AS SELECT 1",
                "CREATE MACRO count(x) AS 0",
                "INSERT INTO rows SELECT * FROM rows",
                "DROP VIEW rows",
                "CHECKPOINT",
                "EXPLAIN SELECT 1",
                "PREPARE a AS SELECT 1",
            ]
        )

        assert {message.rpartition(": ")[2] for message in found} == {
            "it is not one SELECT statement."
        }
        assert list(tmp_path.iterdir()) == []

    def test_it_has_no_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MESH_TEST_SECRET", "42")

        assert "getenv" in said("SELECT getenv('MESH_TEST_SECRET')")
        assert os.environ["MESH_TEST_SECRET"] == "42"

    def test_it_reaches_no_network(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            server.setblocking(False)

            message = said(f"SELECT count(*) FROM read_csv('http://127.0.0.1:{port}/a.csv')")

            assert "could not be checked" in message
            with pytest.raises(BlockingIOError):
                server.accept()

    def test_one_query_changes_nothing_for_the_next(self) -> None:
        setting = "SELECT current_setting('threads')::INTEGER"
        rules = [{"query": query, "mustBe": 1} for query in ("SET threads = 8", setting)]

        assert len(judged(planned(*rules)).problems) == 1

    def test_a_query_without_end_is_ended(self) -> None:
        endless = "SELECT sum(range) FROM range(1000000000000)"
        rules = [{"query": query, "mustBe": 3} for query in (endless, "SELECT 3")]

        report = judged(planned(*rules), limits=QueryLimits(seconds=0.5))

        [problem] = report.problems
        assert problem.message.endswith("could not be checked: it took too long.")

    def test_queries_without_measure_are_ended(self) -> None:
        found = messages(
            [
                "SELECT len(list(range)) FROM range(1000000000)",
                "SELECT count(*) FROM range(1000000000) a, range(1000000000) b, rows",
                "SELECT count(DISTINCT a.range * 1003 + b.range) FROM range(9999) a, range(999) b",
                "SELECT length(repeat('x', 1000000000)) - length(repeat('y', 1000000000))",
            ],
            QueryLimits(memory=32 << 20),
        )

        for message in found:
            assert message.endswith("could not be checked: it took too much memory.")

    def test_who_asks_too_much_costs_others_no_answer(self) -> None:
        """Whether the engine refuses the first query, or the process ends of it."""
        greedy = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b, rows"
        rules = [{"query": query, "mustBe": 3} for query in (greedy, greedy, "SELECT 3")]

        report = judged(planned(*rules), limits=QueryLimits(memory=32 << 20))

        assert [problem.message.rpartition(": ")[2] for problem in report.problems] == [
            "it took too much memory."
        ] * 2

    def test_a_process_that_dies_is_an_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the system ends, it ends for memory; another process is asked the other query."""
        monkeypatch.setattr("mesh.validation.query_process.__file__", os.devnull)

        report = judged(planned(*[{"query": "SELECT 1", "mustBe": 1}] * 2))

        assert [problem.message.rpartition(": ")[2] for problem in report.problems] == [
            "it took too much memory.",
            "it took too much memory.",
        ]


def test_places_are_filled_with_names_however_they_are_quoted() -> None:
    [rule] = sql_rules(planned({"query": "{object} ${object} \"${table}\" `{object}` {other}",
                                "mustBe": 0}))  # fmt: skip

    assert query_of(rule, 'a"b') == '"a""b" "a""b" "a""b" "a""b" {other}'
