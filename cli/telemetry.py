"""What telemetry tells of a drop: the query of the workbook, asked where telemetry is kept.

Azure's Log Analytics and the telemetry page of the local Azure answer the same API, so both are
asked by Azure's SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from cli.connection import Connection
from cli.failures import ExitCode, Failed, wrong_call
from mesh.model.timestamps import rfc3339

if TYPE_CHECKING:
    from azure.monitor.query import LogsQueryClient

WHERE = Path(__file__).parents[1] / "infra" / "kql" / "where.kql"


class TracedHop(TypedDict):
    """A hop of a drop, as its span tells; texts are empty where a hop has nothing to say.

    Attributes:
        at: when it began.
        step: land, publish, fan-out, notify, deliver or compose.
        error: class of the exception that ended it.
    """

    at: str
    step: str
    outcome: str
    verdict: str
    event: str
    subscriber: str
    attempt: int | None
    error: str
    duration_ms: float
    trace: str


def hops_of(connection: Connection, drop: str) -> list[TracedHop]:
    """The hops of a drop, oldest first.

    Raises:
        Failed: it is not known where telemetry is kept, or that does not answer.
    """
    query = WHERE.read_text(encoding="utf-8").replace("__DROP__", drop)
    rows = _ask(connection, query)
    return [
        TracedHop(
            at=rfc3339(row["TimeGenerated"]),
            step=row["Step"],
            outcome=row["Outcome"],
            verdict=row["Verdict"],
            event=row["Event"],
            subscriber=row["Subscriber"],
            attempt=row["Attempt"],
            error=row["Error"],
            duration_ms=row["DurationMs"],
            trace=row["OperationId"],
        )
        for row in rows
    ]


def _ask(connection: Connection, query: str) -> list[dict[str, Any]]:
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
    from azure.monitor.query import LogsQueryResult

    workspace = connection.logs_workspace or "local"
    try:
        with _client(connection) as client:
            answer = client.query_workspace(workspace, query, timespan=None)
    except ClientAuthenticationError as refused:
        raise _refused(refused) from None
    except HttpResponseError as refused:
        if refused.status_code in {401, 403}:
            raise _refused(refused) from None
        message = f"The workspace {workspace} refuses the query: {_first_line(refused)}."
        raise Failed(message, problem="telemetry-refused", code=ExitCode.REFUSED) from None
    except AzureError as failed:
        message = (
            f"Telemetry cannot be asked for: {_first_line(failed)}. Try again; without "
            f"--telemetry, the mesh's own record answers."
        )
        raise Failed(message, problem="unreachable", code=ExitCode.UNAVAILABLE) from None
    if not isinstance(answer, LogsQueryResult):
        message = "The workspace answered in part only. Try again."
        raise Failed(message, problem="unreachable", code=ExitCode.UNAVAILABLE)
    [table] = answer.tables
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


@contextmanager
def _client(connection: Connection) -> Iterator[LogsQueryClient]:
    from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy
    from azure.identity import DefaultAzureCredential
    from azure.monitor.query import LogsQueryClient

    options: dict[str, Any] = {}
    if not connection.logs_workspace:
        if not connection.telemetry_url:
            message = (
                "It is not known where telemetry is kept. Set MESH_LOGS_WORKSPACE to the output of "
                "the deployment (`azd env get-value MESH_LOGS_WORKSPACE`), or start the local "
                "Azure with `mesh up`."
            )
            raise wrong_call(message, problem="no-telemetry")
        options["endpoint"] = connection.telemetry_url
        options["authentication_policy"] = SansIOHTTPPolicy()  # the local Azure asks nobody
        options["retry_policy"] = RetryPolicy(retry_total=0)
    with ExitStack() as stack:
        credential = stack.enter_context(DefaultAzureCredential())
        yield stack.enter_context(LogsQueryClient(credential, **options))


def _refused(refused: Exception) -> Failed:
    message = (
        f"The workspace does not let you ask ({_first_line(refused)}). Sign in with `az login`, "
        f"or ask the mesh's owner for the role Log Analytics Reader."
    )
    return Failed(message, problem="unauthorized", code=ExitCode.REFUSED)


def _first_line(wrong: Exception) -> str:
    return (str(wrong).splitlines() or [type(wrong).__name__])[0].rstrip(".")
