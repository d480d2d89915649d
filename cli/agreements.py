"""`mesh agreement`: who may consume a product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.answers.access import Agreement
from cli.options import AsJson, Product, State, mesh_at
from cli.output import say, show, table, write_json

app = typer.Typer(
    name="agreement",
    help="Who may consume a product: ask, decide, end.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Consumer = Annotated[str, typer.Argument(metavar="CONSUMER", help="The consuming domain.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]


@app.command("request")
def request(
    product: Product,
    consumer: Annotated[str, typer.Option("--as", metavar="DOMAIN", help="The domain that asks.")],
    purpose: Annotated[str, typer.Option("--purpose", metavar="TEXT", help="What for.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Ask to consume a product; granted at once where the policy asks nobody."""
    with mesh_at(state, acting=consumer) as mesh:
        made = mesh.request_agreement(product, consumer=consumer, purpose=purpose)
    _tell(made, as_json=as_json)


@app.command("list")
def list_(product: Product, state: State = None, as_json: AsJson = False) -> None:
    """List who may consume a product, as far as you may see."""
    with mesh_at(state) as mesh:
        found = mesh.agreements(product)
    if as_json:
        write_json({"agreements": found})
    elif not found:
        say(f"There are no agreements about {product}.")
    else:
        columns = ("consumer", "standing", "until", "purpose", "reason")
        show(table(columns, (_row(made) for made in found)))


@app.command("show")
def show_(
    product: Product, consumer: Consumer, state: State = None, as_json: AsJson = False
) -> None:
    """Show how an agreement stands."""
    with mesh_at(state) as mesh:
        made = mesh.agreement(product, consumer)
    _tell(made, as_json=as_json)


@app.command("approve")
def approve(
    product: Product,
    consumer: Consumer,
    reason: Reason,
    days: Annotated[
        int | None,
        typer.Option("--days", min=1, help="For how long, from now. [default: the policy's]"),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Let a domain consume a product, or longer than so far."""
    _decide(product, consumer, "approve", reason, state, days=days, as_json=as_json)


@app.command("refuse")
def refuse(
    product: Product,
    consumer: Consumer,
    reason: Reason,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Do not let a domain consume a product that asks to."""
    _decide(product, consumer, "refuse", reason, state, as_json=as_json)


@app.command("revoke")
def revoke(
    product: Product,
    consumer: Consumer,
    reason: Reason,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Let a domain consume a product no more, from now on."""
    _decide(product, consumer, "revoke", reason, state, as_json=as_json)


def _decide(
    product: str,
    consumer: str,
    decision: Literal["approve", "refuse", "revoke"],
    reason: str,
    state: Path | None,
    *,
    days: int | None = None,
    as_json: bool,
) -> None:
    with mesh_at(state) as mesh:
        made = mesh.decide_agreement(product, consumer, decision=decision, reason=reason, days=days)
    _tell(made, as_json=as_json)


def _tell(made: Agreement, *, as_json: bool) -> None:
    if as_json:
        write_json(made)
        return
    until = f", until {made['expires_at']}" if made["expires_at"] else ""
    say(f"{made['consumer']} and {made['product']}: {made['standing']}{until}.")
    say(f"Asked for by {made['requested_by'] or 'nobody'}: {made['purpose'] or '(no purpose)'}")
    if made["decided_by"]:
        say(f"Decided by {made['decided_by']}: {made['reason']}")


def _row(made: Agreement) -> tuple[object, ...]:
    return (
        made["consumer"],
        made["standing"],
        made["expires_at"] or "",
        made["purpose"],
        made["reason"],
    )
