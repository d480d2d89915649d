"""`mesh where --telemetry`: what can go wrong between the command and a workspace.

That it tells what the record tells, tests/integration/test_telemetry.py sees.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.pipeline.policies import BearerTokenCredentialPolicy

from cli import telemetry
from cli.connection import Connection, find_connection
from cli.failures import Failed
from cli.telemetry import hops_of
from tests.unit.cli.conftest import serving

DROP = "0" * 20 + "-" + "1" * 12
COLUMNS = {
    "TimeGenerated": "datetime",
    "Step": "string",
    "Outcome": "string",
    "Verdict": "string",
    "Event": "string",
    "Subscriber": "string",
    "Attempt": "int",
    "Error": "string",
    "DurationMs": "real",
    "OperationId": "string",
    "Table": "string",
}
OF_A_TRACE = ("a" * 32, "AppRequests")
LAND = ("2026-11-22T12:00:00.5Z", "land", "ok", "accepted", "", "", None, "", 12.5)
FAILED = ("2026-11-22T12:00:02Z", "notify", "error", "", "e1", "fleet", 2, "Unavailable", 3000.0)


class Workspace:
    """A workspace that gives one answer to all questions."""

    def __init__(self) -> None:
        self.status = 200
        self.document: dict[str, Any] | None = None
        self.asked: list[dict[str, Any]] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        from werkzeug.wrappers import Request, Response

        self.asked.append(Request(environ).get_json())
        columns = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
        table = {
            "name": "PrimaryResult",
            "columns": columns,
            "rows": [(*row, *OF_A_TRACE) for row in (LAND, FAILED)],
        }
        document = self.document or {"tables": [table]}
        answer = Response(json.dumps(document), self.status, mimetype="application/json")
        return answer(environ, start_response)


@pytest.fixture
def workspace():
    return Workspace()


@pytest.fixture
def where(run, workspace, tmp_path):
    """`mesh where --telemetry`, with the local Azure's telemetry at hand."""
    state = tmp_path / "state"
    state.mkdir()
    with serving(workspace) as address:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}"}
        (state / "azure.json").write_text(json.dumps({"settings": settings}), encoding="utf-8")
        nowhere = {"MESH_URL": None, "MESH_KEY": None}
        yield lambda *more: run("where", DROP, "--telemetry", "--state", state, *more, env=nowhere)


def test_the_hops_are_shown_and_the_app_is_not_asked(where, workspace, server):
    shown = where().stdout

    assert f"{DROP}  trace {'a' * 32}" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert any(line[:2] == ["+0.000", "s"] and "accepted" in line for line in lines)
    assert any(
        line[:2] == ["+1.5", "s"] and {"Unavailable", "fleet", "2"} <= set(line) for line in lines
    )
    assert f'let wanted = "{DROP}";' in workspace.asked[0]["query"]
    assert server.requests == []
    told = json.loads(where("--json").stdout)
    assert (told["drop"], [hop["at"] for hop in told["hops"]]) == (
        DROP,
        ["2026-11-22T12:00:00.500000Z", "2026-11-22T12:00:02Z"],
    )


NONE = {"tables": [{"name": "PrimaryResult", "columns": [], "rows": []}]}


@pytest.mark.parametrize(
    ("status", "document", "code", "says"),
    [
        (200, NONE, 1, "No telemetry of"),
        (400, {"error": {"code": "BadArgumentError"}}, 1, "refuses the query"),
        (403, {"error": {"code": "InsufficientAccessError"}}, 1, "Log Analytics Reader"),
        (401, {"error": {"code": "AuthorizationRequired"}}, 1, "`az login`"),
        (200, {"tables": [], "error": {"code": "PartialError"}}, 3, "in part only"),
    ],
)
def test_an_answer_that_is_none(where, workspace, status, document, code, says):
    workspace.status, workspace.document = status, document

    done = where()

    assert (done.exit_code, says in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""


def test_telemetry_that_does_not_answer():
    nobody = Connection(url="http://127.0.0.1:1/api", telemetry_url="http://127.0.0.1:1")

    with pytest.raises(Failed, match=r"Telemetry cannot be asked for: .* own record answers"):
        hops_of(nobody, DROP)


def test_it_is_not_known_where_telemetry_is(run):
    done = run("where", DROP, "--telemetry")

    assert done.exit_code == 2
    assert "Set MESH_LOGS_WORKSPACE to the output of the deployment" in done.stderr


def test_a_workspace_is_asked_by_identity_where_azure_has_them(tmp_path):
    found = find_connection({"MESH_LOGS_WORKSPACE": "guid"}, None, tmp_path)

    with telemetry._client(found) as client:
        assert client._config.endpoint == "https://api.loganalytics.io"
        assert isinstance(client._config.authentication_policy, BearerTokenCredentialPolicy)


def test_local_telemetry_is_not_asked_about_a_mesh_elsewhere(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    (state / "azure.json").write_text(json.dumps({"settings": settings}), encoding="utf-8")

    assert find_connection({}, state, tmp_path).telemetry_url == "http://127.0.0.1:4318"
    elsewhere = {"MESH_URL": "https://mesh.example/api"}
    assert find_connection(elsewhere, state, tmp_path).telemetry_url == ""
