"""One call of the HTTP API: asked again when the mesh says so, refused in words that help."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cli.connection import Connection
from cli.failures import ExitCode, Failed

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 30.0
LONGEST_PAUSE_S = 10.0


class Calls:
    """Calls to the mesh at one connection."""

    def __init__(self, connection: Connection, http: httpx.Client) -> None:
        self._connection = connection
        self._http = http

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> Any:
        """The JSON that a call is answered with; None when there is none.

        Args:
            repeat: whether to ask again, as long as the connection is patient, while the mesh is
                busy.

        Raises:
            Failed: the mesh refused, could not be reached, or answered nonsense.
        """
        import tenacity

        patience = self._connection.patience_s if repeat else 0
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda answer: answer.status_code in {429, 503}),
            stop=tenacity.stop_before_delay(patience),
            wait=_pause,
            retry_error_callback=_last_answer,
        )
        url = f"{self._connection.url}/{path}"
        answer = retrying(self._send, method, url, query, body, headers)
        return _content(answer, self._connection)

    def _send(
        self,
        method: str,
        url: str,
        query: Mapping[str, str | int] | None,
        body: object,
        headers: Mapping[str, str] | None,
    ) -> httpx.Response:
        import httpx

        try:
            return self._http.request(method, url, params=query, json=body, headers=headers)
        except httpx.ConnectError as wrong:
            raise _nothing_answers(self._connection, wrong) from None
        except httpx.TimeoutException:
            message = (
                f"{self._connection.url} did not answer within {TIMEOUT_S:.0f} s. Try again; if it "
                f"stays so, look at the log of the functions host."
            )
            raise _unavailable(message) from None
        except httpx.HTTPError as wrong:
            message = f"Talking to {self._connection.url} failed: {wrong}. Try again."
            raise _unavailable(message) from None


def http_client(connection: Connection) -> httpx.Client:
    """An HTTP client fit for where the mesh is."""
    import httpx

    parts = urlsplit(connection.url)
    # Reading the authorities to trust takes longer than a local call; without TLS there are none.
    verify = True if parts.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A proxy of the environment would look for the local Azure on its own machine.
    proxied = parts.hostname not in {"127.0.0.1", "localhost", "::1"}
    return httpx.Client(timeout=TIMEOUT_S, verify=verify, trust_env=proxied)


def _pause(state: Any) -> float:
    """The pause that the mesh asks for, within reason."""
    asked = state.outcome.result().headers.get("Retry-After", "1")
    return min(float(asked) if asked.isdigit() else 1.0, LONGEST_PAUSE_S)


def _last_answer(state: Any) -> Any:
    return state.outcome.result()


def _content(answer: httpx.Response, connection: Connection) -> Any:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.status_code == 204:
        return None
    document = _json(answer) if kind.endswith("json") else None
    if answer.is_success and document is not None:
        return document
    if kind == "application/problem+json" and isinstance(document, dict):
        raise _refused(document)
    if answer.status_code in {401, 403}:
        sent = "Authorization" in answer.request.headers
        message = (
            f"{connection.url} does not accept the token ({'one' if sent else 'none'} was sent). "
            f"Set MESH_SCOPE to the scope of the API, and sign in with `az login`."
        )
        raise Failed(message, problem="unauthorized", code=ExitCode.REFUSED)
    if answer.status_code >= 500:
        message = (
            f"{answer.request.method} {answer.request.url} failed ({answer.status_code} "
            f"{answer.reason_phrase}). Try again; if it stays so, the reason is in the log of the "
            f"functions host, or in Application Insights."
        )
        raise _unavailable(message, problem="failed")
    message = (
        f"{answer.request.method} {answer.request.url} was answered {answer.status_code} "
        f"{answer.reason_phrase} ({kind or 'no content'}), which is no answer of the mesh. "
        f"Set MESH_URL to the address of its API, such as https://HOST/api."
    )
    raise _unavailable(message, problem="not-a-mesh")


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _refused(document: Mapping[str, Any]) -> Failed:
    unavailable = document.get("status") == 503
    return Failed(
        str(document.get("detail") or document.get("title")),
        problem=str(document.get("type", "")).rpartition(":")[2],
        code=ExitCode.UNAVAILABLE if unavailable else ExitCode.REFUSED,
        document=document,
    )


def _nothing_answers(connection: Connection, wrong: Exception) -> Failed:
    message = (
        f"Nothing answers at {connection.url} ({connection.origin}: {wrong}). Start the local "
        f"Azure with `mesh up`, or set MESH_URL."
    )
    return _unavailable(message)


def _unavailable(message: str, *, problem: str = "unreachable") -> Failed:
    return Failed(message, problem=problem, code=ExitCode.UNAVAILABLE)
