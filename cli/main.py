"""The entry point of the `mesh` command.

A command is imported when the command line is read, but what it works with (HTTP, storage, the
contract engine) only when it runs, so that `mesh --help` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer

import mesh
from cli import (
    agreements,
    browsing,
    checking,
    contracts,
    dead_letters,
    dropping,
    identity,
    journeys,
    notices,
    onboarding,
    records,
    replaying,
    subscribing,
    templates,
    up,
)
from cli.demo.command import demo
from cli.failures import ExitCode, Failed, wrong_call
from cli.options import acting_for
from cli.output import report
from cli.sections import SectionedGroup

INTERRUPTED = 130
"""Ended with Ctrl-C: 128 and the number of SIGINT, as shells have it."""
CLOSED_PIPE = 141
"""The reader of standard output went away: 128 and the number of SIGPIPE."""
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


class _Group(SectionedGroup):
    """Ends a command that failed with its code, and says why in the form that was asked for."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        try:
            code = super().main(
                given,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=standalone_mode and not as_json,
                windows_expand_args=windows_expand_args,
                **extra,
            )
        except Failed as failed:
            try:
                report(failed, as_json=as_json)
                code = failed.code
            except KeyboardInterrupt:
                code = INTERRUPTED
        except typer.TyperException as misused:  # only in JSON mode: otherwise Typer has told it
            message = misused.format_message()
            report(Failed(message, problem="wrong-call", code=ExitCode.USAGE), as_json=True)
            code = misused.exit_code
        raise SystemExit(code or ExitCode.DONE)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what cannot be written is told as what lacks on this side."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _write_no_more()
            raise typer.Exit(CLOSED_PIPE) from None
        except OSError as wrong:
            if wrong.errno not in _UNWRITABLE:
                raise
            _write_no_more()
            message = (
                f"The output cannot be written: {wrong.strerror}. Make room, or write it elsewhere."
            )
            raise wrong_call(message, problem="unwritable-output") from None


def _write_no_more() -> None:
    """Let nothing that is still in a buffer be tried again when the process ends."""
    with suppress(OSError, ValueError):  # a test's standard output is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


EPILOG = """\b
Examples:
  mesh demo                                       the whole of it, on this machine
  mesh check my.csv --contract my.odcs.yaml       the verdict, before you drop it
  mesh drop my.csv --to DOMAIN/PRODUCT --wait     the verdict of the mesh
  mesh where my.csv                               to each subscriber's attempts

\b
Exit codes: 0 done, 1 refused, 2 a wrong call, 3 not reached. --json tells all of it to programs.
"""

app = typer.Typer(
    name="mesh",
    cls=_Group,
    help="The event-driven backbone of a data mesh: onboard products, drop files, subscribe.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(mesh.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001 - its callback has dealt with it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    acting: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="DOMAIN",
            envvar="MESH_AS",
            help="Act for this domain, in a local Azure; elsewhere you are who you are.",
        ),
    ] = "",
) -> None:
    """Talk to the local Azure (`mesh up`), or to the mesh that MESH_URL and MESH_SCOPE name."""
    acting_for.set(acting)


app.command()(up.up)
app.command()(identity.whoami)
app.command()(identity.token)
app.command()(demo)
app.command()(onboarding.onboard)
app.command()(onboarding.onboarding)
app.command()(onboarding.approve)
app.command()(onboarding.refuse)
app.command()(checking.check)
app.add_typer(contracts.app)
app.add_typer(agreements.app)
app.add_typer(notices.app)
app.command()(records.audit)
app.command()(records.access)
app.add_typer(dead_letters.app)
app.add_typer(templates.app)
app.command()(dropping.drop)
app.command()(journeys.where)
app.command()(journeys.receipt)
app.command()(subscribing.subscribe)
app.command()(subscribing.subscriptions)
app.command()(subscribing.unsubscribe)
app.command()(subscribing.rotate_secret)
app.command()(replaying.suspend)
app.command()(replaying.resume)
app.command()(replaying.replay)
app.command()(replaying.ack)
app.command()(browsing.products)
app.command()(browsing.product)
app.command()(browsing.events)


def main() -> None:
    """Run the command line."""
    app(prog_name="mesh")


if __name__ == "__main__":
    main()
