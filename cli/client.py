"""The HTTP API, as the command calls it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qs, quote, urlsplit

from cli.answers.access import Agreement, Audit, Caller, ReadAccess
from cli.answers.drops import Drop, Journey, Receipt
from cli.answers.onboarding import Onboarding, SecurityProfile, Template
from cli.answers.products import CloudEvent, Notice, Preview, Product, ProductSummary
from cli.answers.subscriptions import (
    Attempt,
    DeadLetter,
    Replayed,
    Resumed,
    SettledLetter,
    Subscribed,
    Subscription,
)
from cli.calling import Calls, http_client
from cli.connection import Connection
from cli.failures import wrong_call
from cli.tokens import token

PAGE = 1000
"""Entries that a list answers with at most."""


class MeshClient:
    """One method per route; answers are JSON as `cli.answers` types it.

    Every method raises `Failed`: the mesh refused, could not be reached, or answered nonsense.
    """

    def __init__(self, calls: Calls) -> None:
        self._ask = calls.ask

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

    def notices(self, product: str) -> list[Notice]:
        found: list[Notice] = self._ask("GET", f"{_product(product)}/notices")["notices"]
        return found

    def acknowledge_notice(self, product: str, *, port: str, major: str, consumer: str) -> Notice:
        notice = f"{_product(product)}/notices/{_part(port)}/{_part(major)}"
        found: Notice = self._ask("POST", f"{notice}/acknowledgements/{_part(consumer)}")
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

    def resubmit(self, source: str, number: int) -> SettledLetter:
        body = {"source": source, "number": number}
        found: SettledLetter = self._ask("POST", "dead-letters/resubmissions", body=body)
        return found

    def discard(self, source: str, number: int, *, reason: str) -> SettledLetter:
        body = {"source": source, "number": number, "reason": reason}
        found: SettledLetter = self._ask("POST", "dead-letters/discards", body=body)
        return found


@contextmanager
def open_client(connection: Connection) -> Iterator[MeshClient]:
    """A client with connections of its own, and a token if there is one to be had."""
    with http_client(connection) as http:
        if found := token(connection, http):
            http.headers["Authorization"] = f"Bearer {found}"
        yield MeshClient(Calls(connection, http))


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
