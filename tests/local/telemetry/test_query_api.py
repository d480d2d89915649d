"""Azure's SDK for Log Analytics asks the receiver as it asks a workspace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity import DefaultAzureCredential
from azure.monitor.query import LogsQueryClient, LogsQueryStatus


@pytest.fixture
def logs(receiver):
    with (
        DefaultAzureCredential() as credential,
        LogsQueryClient(
            credential,
            endpoint=str(receiver.base_url).rstrip("/"),
            authentication_policy=SansIOHTTPPolicy(),
        ) as client,
    ):
        yield client


def test_an_answer_has_the_types_of_its_columns(logs):
    query = (
        "print At = datetime(2026-11-22T12:00:00.5Z), Long = 3, Real = 1.5, Is = true, "
        'Text = "Zürich", Took = 90s, Nothing = toint("")'
    )

    answer = logs.query_workspace("any", query, timespan=None)

    assert answer.status is LogsQueryStatus.SUCCESS
    [table] = answer.tables
    assert table.name == "PrimaryResult"
    [row] = table.rows
    assert row["At"] == datetime(2026, 11, 22, 12, 0, 0, 500_000, UTC)
    assert list(row)[1:] == [3, 1.5, True, "Zürich", "00:01:30", None]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("Nowhere | count", "Nowhere"),
        ("AppRequests | explode", "explode"),
    ],
)
def test_a_query_that_cannot_be_run_is_refused(logs, query, says):
    with pytest.raises(HttpResponseError, match=says) as refused:
        logs.query_workspace("any", query, timespan=None)

    assert refused.value.status_code == 400
    assert "BadArgumentError" in str(refused.value)


def test_what_is_not_known_here_is_refused(logs, receiver):
    with pytest.raises(HttpResponseError, match="timespan and workspaces are not known here"):
        logs.query_workspace("any", "print 1", timespan=timedelta(days=1))

    for body in (b"{", b"[]", b"{}", b'{"query": 1}'):
        assert receiver.post("/v1/workspaces/any/query", content=body).status_code == 400
