"""`mesh notice`: which output ports end, and who has acknowledged it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.answers.products import AskedConsumer, Deprecation, Notice
from cli.options import AsJson, Product, State, mesh_at
from cli.output import plural, say, show, table, write_json

app = typer.Typer(
    name="notice",
    help="Output ports that end, and who has acknowledged it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(product: Product, state: State = None, as_json: AsJson = False) -> None:
    """List which ports of a product end, and who is asked, as far as you may see."""
    with mesh_at(state) as mesh:
        found = mesh.notices(product)
    if as_json:
        write_json({"notices": found})
    elif not found:
        say(f"{product} has given no notice.")
    else:
        for notice in found:
            _tell(notice)


@app.command("acknowledge")
def acknowledge(
    product: Product,
    port: Annotated[str, typer.Argument(metavar="PORT", help="The output port that ends.")],
    major: Annotated[str, typer.Argument(metavar="MAJOR", help="Its major version: 1, or v1.")],
    consumer: Annotated[
        str, typer.Option("--as", metavar="DOMAIN", help="The domain that is ready.")
    ],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Say that a domain knows of a port's end, and does not need it to stay any longer."""
    with mesh_at(state, acting=consumer) as mesh:
        notice = mesh.acknowledge_notice(
            product, port=port, major=major.removeprefix("v"), consumer=consumer
        )
    if as_json:
        write_json(notice)
    else:
        _tell(notice)


def ending(found: Deprecation | None) -> str:
    """What to say behind a port of its end; nothing when it stays."""
    if found is None:
        return ""
    if found["retired_at"]:
        return f" (retired {found['retired_at']})"
    told = f"deprecated, ends {found['sunset']}" if found["sunset"] else "deprecated"
    if found["asked"]:
        done = found["asked"] - found["unacknowledged"]
        told += f", {done} of {plural(found['asked'], 'consumer')} acknowledged"
    return f" ({told})"


def _tell(notice: Notice) -> None:
    ends = "is retired" if notice["retired_at"] else f"ends {notice['sunset'] or 'some day'}"
    if notice["standing"] == "withdrawn":
        ends = "stays after all"
    said = f"{notice['port']} {notice['version']} {ends}; notice until {notice['until']}."
    after = (
        f" {notice['port']} {notice['successor']} takes its place." if notice["successor"] else ""
    )
    say(said + after, style="bold")
    if notice["migration"]:
        say(f"How to move: {notice['migration']}")
    if notice["asked"]:
        columns = ("consumer", "acknowledged", "because")
        show(table(columns, (_row(asked) for asked in notice["asked"])))


def _row(asked: AskedConsumer) -> tuple[object, ...]:
    waits = "outstanding" if asked["outstanding"] else "not waited for"
    done = f"{asked['acknowledged_at']} by {asked['acknowledged_by']}"
    because = " ".join(change["message"] for change in asked["affected_by"])
    return (asked["consumer"], done if asked["acknowledged_at"] else waits, because)
