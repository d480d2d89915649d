"""The HTTP API, as the command calls it."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from cli.answers.access import Agreement, Audit, Caller, ReadAccess
from cli.answers.drops import Drop, Journey, Receipt
from cli.answers.onboarding import Onboarding, SecurityProfile, Template
from cli.answers.products import CloudEvent, Preview, Product, ProductSummary
from cli.answers.subscriptions import (
    Attempt,
    DeadLetter,
    Replayed,
    Resumed,
    Subscribed,
    Subscription,
)
from cli.connection import Connection
from cli.failures import ExitCode, Failed, wrong_call
from cli.tokens import token

if TYPE_CHECKING:
    import httpx

PAGE = 1000
"""Entries that a list answers with at most."""

TIMEOUT_S = 30.0
LONGEST_PAUSE_S = 10.0


class MeshClient:
    """One method per route; answers are JSON as `cli.answers` types it.

    Every method raises `Failed`: the mesh refused, could not be reached, or answered nonsense.
    """

    def __init__(self, connection: Connection, http: httpx.Client) -> None:
        self._connection = connection
        self._http = http

    def whoami(self) -> Caller:
        found: Caller = self._ask("GET", "whoami")
        return found

    def request_onboarding(
        self, files: Mapping[str, str], *, by: str, template: Mapping[str, object] | None = None
    ) -> Onboarding:
        body = {"files": dict(files), "requested_by": by}
        found: Onboarding = self._ask(
            "POST", "onboardings", body=body | ({"template": template} if template else {})
        )
        return found

    def onboarding(self, identity: str) -> Onboarding:
        found: Onboarding = self._ask("GET", f"onboardings/{_part(identity)}")
        return found

    def decide(
        self, identity: str, *, decision: str, approver: str | None, reason: str
    ) -> Onboarding:
        body = {"decision": decision, "reason": reason}
        body |= {} if approver is None else {"approver": approver}
        path = f"onboardings/{_part(identity)}/approval"
        found: Onboarding = self._ask("POST", path, body=body)
        return found

    def register_template(self, described: Mapping[str, object]) -> Template:
        found: Template = self._ask("POST", "templates", body=described)
        return found

    def templates(self) -> tuple[list[Template], list[SecurityProfile]]:
        """All templates, and the profiles that they are to satisfy."""
        found = self._ask("GET", "templates")
        return found["templates"], found["profiles"]

    def template(self, name: str, version: str) -> Template:
        found: Template = self._ask("GET", f"templates/{_part(name)}/{_part(version)}")
        return found

    def products(self, words: str = "") -> list[ProductSummary]:
        query = {"limit": PAGE} | ({"search": words} if words else {})
        found: list[ProductSummary] = self._ask("GET", "products", query=query)["products"]
        return found

    def product(self, product: str) -> Product:
        found: Product = self._ask("GET", _product(product))
        return found

    def drops(
        self, *, product: str | None = None, file: str | None = None, limit: int = PAGE
    ) -> list[Drop]:
        """The newest decisions, newest first."""
        path = "drops" if product is None else f"{_product(product)}/drops"
        query = {"limit": limit} | ({"file": file} if file else {})
        found: list[Drop] = self._ask("GET", path, query=query)["drops"]
        return found

    def journey(self, product: str, drop: str) -> Journey:
        found: Journey = self._ask("GET", f"{_product(product)}/drops/{_part(drop)}")
        return found

    def receipt(self, product: str, drop: str) -> Receipt:
        found: Receipt = self._ask("GET", f"{_product(product)}/drops/{_part(drop)}/receipt")
        return found

    def events(
        self, product: str, *, after: int, limit: int, wait: int = 0, subscription: str = ""
    ) -> tuple[list[CloudEvent], int]:
        """The events with a sequence above `after`, in order, and after which the next page begins.

        Args:
            wait: seconds to wait for some when there are none.
            subscription: only those that this one wants.
        """
        query: dict[str, str | int] = {"after": after, "limit": limit}
        query |= {"wait": wait} if wait else {}
        query |= {"subscription": subscription} if subscription else {}
        page = self._ask("GET", f"{_product(product)}/events", query=query)
        following = parse_qs(urlsplit(page["next"]).query)["after"]
        return page["events"], int(following[0])

    def audit(self, log: str, *, limit: int) -> Audit:
        found: Audit = self._ask("GET", f"audit/{_part(log)}", query={"limit": limit})
        return found

    def read_snapshot(self, product: str, sequence: int) -> ReadAccess:
        path = f"{_product(product)}/snapshots/{sequence}/access"
        found: ReadAccess = self._ask("GET", path)
        return found

    def request_agreement(self, product: str, *, consumer: str, purpose: str) -> Agreement:
        body = {"consumer": consumer, "purpose": purpose}
        found: Agreement = self._ask("POST", f"{_product(product)}/agreements", body=body)
        return found

    def agreements(self, product: str) -> list[Agreement]:
        answer = self._ask("GET", f"{_product(product)}/agreements")
        found: list[Agreement] = answer["agreements"]
        return found

    def agreement(self, product: str, consumer: str) -> Agreement:
        path = f"{_product(product)}/agreements/{_part(consumer)}"
        found: Agreement = self._ask("GET", path)
        return found

    def decide_agreement(
        self, product: str, consumer: str, *, decision: str, reason: str, days: int | None
    ) -> Agreement:
        body = {"decision": decision, "reason": reason} | ({} if days is None else {"days": days})
        path = f"{_product(product)}/agreements/{_part(consumer)}/decision"
        found: Agreement = self._ask("POST", path, body=body)
        return found

    def preview_contract(self, product: str, *, file: str, text: str) -> Preview:
        path = f"{_product(product)}/contracts/preview"
        found: Preview = self._ask("POST", path, body={"file": file, "text": text})
        return found

    def subscribe(
        self,
        product: str,
        *,
        subscriber: str,
        route: Mapping[str, str | bool],
        types: Sequence[str],
        objects: Sequence[str],
        filters: Sequence[object] = (),
        uses: Sequence[str] | None = None,
    ) -> Subscribed:
        body = {
            "subscriber": subscriber,
            **route,
            "filter": {"types": list(types), "objects": list(objects)},
            "filters": list(filters),
            **({} if uses is None else {"uses": list(uses)}),
        }
        # When an answer is lost, the same key gets the same one, with the secret in it.
        found: Subscribed = self._ask(
            "POST",
            f"{_product(product)}/subscriptions",
            body=body,
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        return found

    def subscriptions(self, product: str) -> list[Subscription]:
        answer = self._ask("GET", f"{_product(product)}/subscriptions")
        found: list[Subscription] = answer["subscriptions"]
        return found

    def subscription(self, product: str, identity: str) -> Subscription:
        path = f"{_product(product)}/subscriptions/{_part(identity)}"
        found: Subscription = self._ask("GET", path)
        return found

    def unsubscribe(self, product: str, identity: str) -> None:
        self._ask("DELETE", f"{_product(product)}/subscriptions/{_part(identity)}")

    def rotate_secret(self, product: str, identity: str) -> Subscribed:
        path = f"{_product(product)}/subscriptions/{_part(identity)}/secret"
        # Not repeated: a second rotation would retire the secret that is in use.
        found: Subscribed = self._ask("POST", path, repeat=False)
        return found

    def suspend(self, product: str, identity: str, *, reason: str) -> Subscription:
        path = f"{_product(product)}/subscriptions/{_part(identity)}/suspension"
        found: Subscription = self._ask("POST", path, body={"reason": reason})
        return found

    def resume(self, product: str, identity: str, *, held: str) -> Resumed:
        path = f"{_product(product)}/subscriptions/{_part(identity)}/resumption"
        found: Resumed = self._ask("POST", path, body={"held": held})
        return found

    def replay(self, product: str, identity: str, *, start: Mapping[str, str | int]) -> Replayed:
        path = f"{_product(product)}/subscriptions/{_part(identity)}/replays"
        found: Replayed = self._ask("POST", path, body=dict(start))
        return found

    def acknowledge(self, product: str, identity: str, *, sequence: int) -> Attempt:
        path = f"{_product(product)}/subscriptions/{_part(identity)}/acknowledgements"
        found: Attempt = self._ask("POST", path, body={"sequence": sequence})
        return found

    def dead_letters(self, *, source: str | None = None) -> list[DeadLetter]:
        query = {"limit": PAGE} | ({"source": source} if source else {})
        found: list[DeadLetter] = self._ask("GET", "dead-letters", query=query)["dead_letters"]
        return found

    def resubmit(self, source: str, number: int) -> DeadLetter:
        body = {"source": source, "number": number}
        found: DeadLetter = self._ask("POST", "dead-letters/resubmissions", body=body)
        return found

    def discard(self, source: str, number: int, *, reason: str) -> DeadLetter:
        body = {"source": source, "number": number, "reason": reason}
        found: DeadLetter = self._ask("POST", "dead-letters/discards", body=body)
        return found

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> Any:
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


@contextmanager
def open_client(connection: Connection) -> Iterator[MeshClient]:
    """A client with connections of its own, and a token if there is one to be had."""
    with http_client(connection) as http:
        if found := token(connection, http):
            http.headers["Authorization"] = f"Bearer {found}"
        yield MeshClient(connection, http)


def http_client(connection: Connection) -> httpx.Client:
    """An HTTP client fit for where the mesh is."""
    import httpx

    parts = urlsplit(connection.url)
    # Reading the authorities to trust takes longer than a local call; without TLS there are none.
    verify = True if parts.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # A proxy of the environment would look for the local Azure on its own machine.
    proxied = parts.hostname not in {"127.0.0.1", "localhost", "::1"}
    return httpx.Client(timeout=TIMEOUT_S, verify=verify, trust_env=proxied)


def _part(text: str) -> str:
    """`text` as one part of a path.

    `.` and `..` would walk the path, and nothing that the mesh names is called so.
    """
    if text in {"", ".", ".."}:
        raise wrong_call(f"{text!r} names nothing. Give an id as the mesh prints it.")
    return quote(text, safe="")


def _product(text: str) -> str:
    from mesh.errors import Rejected
    from mesh.model.names import ProductId

    try:
        return f"products/{ProductId.parse(text)}"
    except Rejected as wrong:
        raise wrong_call(str(wrong), problem=wrong.problem) from None


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
