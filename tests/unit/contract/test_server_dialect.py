"""What the servers of a contract say of how delimited files are written."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.model.contract_check import check_contract
from tests.unit.validation.files import contract, judge, plan_of

FIELDS = [{"name": name, "logicalType": "string"} for name in "ab"]


def server(name: str = "files", **more: Any) -> dict[str, Any]:
    more = {"format": "csv", "location": "abfss://a@b.dfs.core.windows.net/c"} | more
    return {"server": name, "type": "azure", **more}


def document(
    *servers: dict[str, Any], dialect: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    custom = None if dialect is None else {"fileDialect": dialect}
    return contract(FIELDS, custom, **more) | {"servers": list(servers)}


@pytest.mark.parametrize("delimiter", [";", "semicolon"])
def test_files_are_read_as_a_server_says(delimiter: str) -> None:
    plan = plan_of(document(server(delimiter=delimiter, encoding="ISO-8859-1")))

    outcome = judge(plan, "a;b\nx,y;Zürich\n".encode("latin-1"))

    assert (outcome.report.verdict, outcome.report.rows) == ("accepted", 1)
    assert (plan.dialect.separator, plan.dialect.encoding) == (";", "ISO-8859-1")


@pytest.mark.parametrize(
    "servers",
    [
        [server(delimiter="array", format="json")],
        [server(delimiter=";", format="parquet")],
        [{"server": "k", "type": "kafka", "host": "h", "format": "json"}],
        [],
    ],
)
def test_servers_of_other_formats_say_nothing_of_it(servers: list[dict[str, Any]]) -> None:
    assert plan_of(document(*servers)).dialect.separator is None


def test_the_dialect_of_the_contract_and_of_an_object_go_before() -> None:
    own = [{"property": "fileDialect", "value": {"separator": "|"}}]
    made = document(server(delimiter=";"), customProperties=own)
    assert plan_of(made).dialect.separator == "|"

    made = document(server(delimiter=";"), server("dev", delimiter=","), dialect={"quote": None})
    made["customProperties"][0]["value"]["separator"] = ";"
    assert [finding.path for finding in check_contract(made, file="c")] == ["/servers/1/delimiter"]


@pytest.mark.parametrize(
    ("made", "path", "message"),
    [
        (
            document(server(delimiter="new_line")),
            "/servers/0/delimiter",
            "'new_line' cannot part the cells of a line.",
        ),
        (
            document(server(encoding="EBCDIC-X")),
            "/servers/0/encoding",
            "Files in encoding 'EBCDIC-X' cannot be read.",
        ),
        (
            document(server(delimiter=";"), dialect={"separator": ","}),
            "/servers/0/delimiter",
            "The fileDialect has the separator ',', this server ';'.",
        ),
        (
            document(server(delimiter=";"), server("dev", delimiter="tab")),
            "/servers/1/delimiter",
            "Another server has the separator ';', and this one 'tab'.",
        ),
    ],
)
def test_what_servers_say_and_cannot_be(made: dict[str, Any], path: str, message: str) -> None:
    [finding] = check_contract(made, file="c")

    assert (finding.path, finding.rule, finding.message) == (path, "contract.server", message)
    assert finding.remedy


def test_the_same_said_in_other_words_is_no_contradiction() -> None:
    same = server(delimiter="\\t", encoding="UTF-8"), server("dev", delimiter="tab")
    made = document(*same, dialect={"separator": "\t", "encoding": "utf8"})

    assert check_contract(made, file="c") == []
