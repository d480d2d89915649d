"""`mesh subscribe` and what can be done with a subscription afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.answers.subscriptions import Expression, Subscribed, Subscription
from cli.failures import wrong_call
from cli.options import AsJson, Product, State, mesh_at
from cli.output import say, show, table, write_json

PULL_SNIPPET = """\
import json, os
from azure.servicebus import ServiceBusClient

with (
    ServiceBusClient.from_connection_string(os.environ["SERVICE_BUS"]) as bus,
    bus.get_subscription_receiver("product-events", "{target}") as receiver,
):
    for message in receiver:
        event = json.loads(b"".join(message.body))
        print(event["type"], event["sequence"], event.get("dataref"))
        receiver.complete_message(message)"""
"""How a pull subscriber receives; against Azure, with its credential in place of the string."""

Identity = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Id of the subscription.")]


Subscriber = Annotated[
    str, typer.Option("--as", metavar="DOMAIN", help="The domain that wants to be told.")
]
Webhook = Annotated[
    str | None,
    typer.Option("--webhook", metavar="URL", help="Push: where notifications are sent."),
]
Pull = Annotated[bool, typer.Option("--pull", help="Pull: from a topic subscription of your own.")]
EventGrid = Annotated[
    str | None,
    typer.Option("--event-grid", metavar="URL", help="Endpoint of an Event Grid topic of yours."),
]
ServiceBus = Annotated[
    str | None,
    typer.Option("--service-bus", metavar="NAMESPACE/QUEUE", help="A Service Bus queue of yours."),
]
Inbox = Annotated[
    str | None,
    typer.Option("--inbox", metavar="URL", help="A blob container of yours, or a folder in it."),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="What was delivered there, to prove that it is yours; needed once.",
    ),
]
Copies = Annotated[
    bool, typer.Option("--copies", help="Into the inbox, the data too: not only where it is.")
]
Ordered = Annotated[
    bool, typer.Option("--ordered", help="One event after the other: each waits for the last.")
]
Ed25519 = Annotated[
    bool, typer.Option("--ed25519", help="Sign with a key pair: you hold the public key.")
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only events of this type; repeatable."),
]
Objects = Annotated[
    list[str] | None,
    typer.Option("--object", metavar="NAME", help="Only about this object; repeatable."),
]

Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="JSON",
        help='Only what a CloudEvents filter matches: {"prefix": {"subject": "v1/"}}; repeatable.',
    ),
]

Uses = Annotated[
    list[str] | None,
    typer.Option(
        "--uses",
        metavar="OBJECT.FIELD,…",
        help="What you rely on, fields or whole objects; repeatable. [default: everything]",
    ),
]


def subscribe(
    product: Product,
    subscriber: Subscriber,
    webhook: Webhook = None,
    pull: Pull = False,
    event_grid: EventGrid = None,
    service_bus: ServiceBus = None,
    inbox: Inbox = None,
    token: Token = None,
    copies: Copies = False,
    ordered: Ordered = False,
    ed25519: Ed25519 = False,
    types: Types = None,
    objects: Objects = None,
    filters: Filters = None,
    uses: Uses = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Let a domain be told of a product's events, over the channel of its choice.

    The same wish again is the same subscription. The secret that a webhook verifies notifications
    with is printed once. What is yours is delivered a token first; with it, you prove that it is.
    """
    route = _route(
        pull, webhook=webhook, event_grid=event_grid, service_bus=service_bus, inbox=inbox
    )
    route |= {"token": token} if token else {}
    route |= {"copies": True} if copies else {}
    route |= {"ordered": True} if ordered else {}
    route |= {"signature": "v1a"} if ed25519 else {}
    with mesh_at(state, acting=subscriber) as mesh:
        made = mesh.subscribe(
            product,
            subscriber=subscriber,
            route=route,
            types=list(dict.fromkeys(types or ())),
            objects=list(dict.fromkeys(objects or ())),
            filters=[_json(text) for text in filters or ()],
            uses=None if uses is None else _relied_on(uses),
        )
    if as_json:
        write_json(made)
    else:
        _welcome(made)


def _route(pull: bool, **given: str | None) -> dict[str, str | bool]:
    """The one way to be told that was chosen."""
    route: dict[str, str | bool] = {name: target for name, target in given.items() if target}
    if len(route) + pull != 1:
        message = (
            "Choose one way to be told: --webhook URL for push, --pull, or into what is yours: "
            "--event-grid URL, --service-bus NAMESPACE/QUEUE, --inbox URL."
        )
        raise wrong_call(message)
    return route


def subscriptions(product: Product, state: State = None, as_json: AsJson = False) -> None:
    """List who is told of a product's events."""
    with mesh_at(state) as mesh:
        found = mesh.subscriptions(product)
    if as_json:
        write_json({"subscriptions": found})
    elif not found:
        say(f"Nobody has subscribed to {product}.")
    else:
        columns = ("id", "subscriber", "channel", "target", "wants", "state", "since")
        show(table(columns, (_row(wants) for wants in found)))


def unsubscribe(
    product: Product, identity: Identity, state: State = None, as_json: AsJson = False
) -> None:
    """End a subscription."""
    with mesh_at(state) as mesh:
        mesh.unsubscribe(product, identity)
    if as_json:
        write_json({"id": identity, "product": product, "state": "ended"})
    else:
        say(f"Subscription {identity} to {product} has ended.")


def rotate_secret(
    product: Product, identity: Identity, state: State = None, as_json: AsJson = False
) -> None:
    """Give a webhook subscription a new secret; the old one signs too for 24 hours."""
    with mesh_at(state) as mesh:
        made = mesh.rotate_secret(product, identity)
    if as_json:
        write_json(made)
    else:
        _tell_secret(made)
        say("For 24 hours, notifications are signed with the old secret too.")


def wanted(filters: Sequence[Expression]) -> str:
    """Filters in words; all have to match."""
    if not filters:
        return "all events"
    return f"events whose {' and '.join(map(_in_words, filters))}"


def _in_words(wish: Expression) -> str:
    for compared, verb in (
        (wish.get("exact"), "is"),
        (wish.get("prefix"), "starts with"),
        (wish.get("suffix"), "ends with"),
    ):
        if compared is not None:
            return " and ".join(f"{name} {verb} {value}" for name, value in compared.items())
    if "not" in wish:
        return f"not ({_in_words(wish['not'])})"
    if "all" in wish:
        return f"({' and '.join(map(_in_words, wish['all']))})"
    return f"({' or '.join(map(_in_words, wish['any']))})"


def _relied_on(given: Sequence[str]) -> list[str]:
    """What `--uses` names, of all times that it is given; an empty one names nothing."""
    named = (name.strip() for text in given for name in text.split(","))
    return list(dict.fromkeys(filter(None, named)))


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as wrong:
        message = (
            f'--filter {text!r} is no JSON: {wrong}. Write it as {{"exact": {{"type": "…"}}}}.'
        )
        raise wrong_call(message) from None


def _row(wants: Subscription) -> tuple[object, ...]:
    return (
        wants["id"],
        wants["subscriber"],
        wants["channel"],
        wants["target"],
        wanted(wants["filters"]),
        _health(wants),
        wants["created_at"],
    )


def _health(wants: Subscription) -> str:
    """State and what is wrong, in words."""
    used = f"{wants['failing']} % of its failure budget used" if wants["failing"] else ""
    return ": ".join(filter(None, (wants["state"], used, wants["reason"])))


def _welcome(made: Subscribed) -> None:
    say(
        f"{made['subscriber']} is told of {wanted(made['filters'])} of {made['product']}.",
        style="green",
    )
    if made["uses"]:
        say(f"It relies on {', '.join(made['uses'])}; changes of anything else do not affect it.")
    say(f"Subscription {made['id']}, by {made['channel']}: {made['target']}")
    if made["channel"] == "pull":
        say(
            f"Topic product-events, subscription {made['target']}. Receive with the following; "
            "locally, SERVICE_BUS is among the settings in azure.json, in the folder of the state:",
            "",
        )
        say(*(f"    {line}" for line in PULL_SNIPPET.format(target=made["target"]).splitlines()))
    elif made["channel"] != "push":
        say("A test event has been delivered there: its type is mesh.subscription.tested.v1.")
    elif made["secret"] is None:
        say(
            "It was made before, and its secret was told then. A new one: "
            f"mesh rotate-secret {made['product']} {made['id']}"
        )
    else:
        _tell_secret(made)


def _tell_secret(made: Subscribed) -> None:
    kind = "Public key" if made["signature"] == "v1a" else "Secret"
    say(
        f"{kind}: {made['secret']}",
        "It is shown this once. Verify each notification with it (Standard Webhooks).",
    )
