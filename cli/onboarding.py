"""`mesh onboard`, `mesh onboarding`, `mesh approve`, `mesh refuse`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Self

import typer

from cli.answers.onboarding import Onboarding, Step
from cli.client import MeshClient
from cli.failures import ExitCode, wrong_call
from cli.options import AsJson, State, Timeout, mesh_at
from cli.output import (
    console,
    findings_table,
    moment,
    plain,
    plural,
    say,
    show,
    since,
    write_json,
)
from cli.templates import template_named
from cli.waiting import wait_for

STEPS = ("received", "checked", "approved", "provisioned", "registered")

Identity = Annotated[str, typer.Argument(metavar="ID", help="Id of the onboarding.")]
Approver = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="In whose name. [default: your own]"),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]


def onboard(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder of the declaration: NAME.odps.yaml and its NAME.odcs.yaml files.",
            exists=True,
            file_okay=False,
        ),
    ],
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Who asks. [default: the user]"),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="NAME@VERSION",
            help="Registered template that the product's infrastructure is deployed from. "
            "[default: the one it has]",
        ),
    ] = None,
    waiver: Annotated[
        str | None,
        typer.Option(
            "--waiver", metavar="REASON", help="Why it may be used where it satisfies too little."
        ),
    ] = None,
    timeout: Timeout = 120,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Bring a data product into the mesh, or a new version of it.

    Sends the files of the declaration and follows the onboarding until it ends or waits for an
    approval. Exits with 1 when it is refused; all reasons are told at once.
    """
    files = read_declaration_files(directory)
    used = _template_use(template, waiver)
    with mesh_at(state) as mesh:
        saga = mesh.request_onboarding(files, by=by or _user(), template=used)
        saga = _followed(mesh, saga, timeout_s=timeout, quiet=as_json)
    _tell(saga, as_json=as_json)


def onboarding(identity: Identity, state: State = None, as_json: AsJson = False) -> None:
    """Show where an onboarding stands."""
    with mesh_at(state) as mesh:
        saga = mesh.onboarding(identity)
    if not as_json:
        for step in saga["steps"]:
            say(_step_line(step, saga))
    _tell(saga, as_json=as_json, exit_refused=False)


def approve(
    identity: Identity,
    reason: Reason,
    by: Approver = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Let an onboarding go on that waits for an approval."""
    _decide(identity, "approve", by, reason, state, as_json=as_json)


def refuse(
    identity: Identity,
    reason: Reason,
    by: Approver = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """End an onboarding that waits for an approval."""
    _decide(identity, "refuse", by, reason, state, as_json=as_json)


def read_declaration_files(directory: Path) -> dict[str, str]:
    """The files of a declaration by name; whatever else the folder holds is left out.

    Raises:
        Failed: it has none, or one cannot be read as text.
    """
    from mesh.model.declaration import is_declaration_file

    files = {}
    for file in sorted(directory.iterdir()):
        if file.is_file() and is_declaration_file(file.name):
            files[file.name] = _text(file)
    if not files:
        message = (
            f"{directory} holds no declaration. It needs one file NAME.odps.yaml for the product, "
            f"and one NAME.odcs.yaml for each output port."
        )
        raise wrong_call(message, problem="no-declaration")
    return files


def _template_use(template: str | None, waiver: str | None) -> dict[str, object] | None:
    if template is None:
        if waiver is not None:
            raise wrong_call("--waiver is for a template: name it with --template.")
        return None
    reason: dict[str, object] = {} if waiver is None else {"waiver": {"reason": waiver}}
    return {**template_named(template), **reason}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        message = f"{file} is not UTF-8 at byte {wrong.start}. Save it with the encoding UTF-8."
    except OSError as wrong:
        message = f"{file} cannot be read: {wrong.strerror}."
    raise wrong_call(message, problem="no-declaration")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name in the environment, none in the password database
        return "cli"


def _followed(mesh: MeshClient, saga: Onboarding, *, timeout_s: float, quiet: bool) -> Onboarding:
    """The saga when it has ended or waits; steps are shown as they are done."""
    shown = 0
    with _Spinner(quiet=quiet) as spinner:

        def ask() -> Onboarding | None:
            nonlocal saga, shown
            if shown:
                saga = mesh.onboarding(saga["id"])
            spinner.tell(*(_step_line(step, saga) for step in saga["steps"][shown:]))
            shown = len(saga["steps"])
            if saga["status"] != "running":
                return saga
            spinner.wait_for(_next_step(saga))
            return None

        return wait_for(
            ask,
            timeout_s=timeout_s,
            what=f"end of onboarding {saga['id']}",
            instead=f"It goes on by itself; `mesh onboarding {saga['id']}` shows where it stands.",
        )


class _Spinner:
    """Writes what was done, and turns on a terminal below it while the next is waited for."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._status = console(errors=True).status("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def tell(self, *lines: str) -> None:
        if lines and not self._quiet:
            # While it turns, Rich would send standard output to where it turns: standard error.
            self._status.stop()
            say(*lines)

    def wait_for(self, what: str) -> None:
        if not self._quiet:
            self._status.update(plain(what))
            self._status.start()


def _next_step(saga: Onboarding) -> str:
    return f"waiting for it to be {STEPS[len(saga['steps'])]} …"


def _step_line(step: Step, saga: Onboarding) -> str:
    started = moment(saga["steps"][0]["at"])
    detail = f"  {step['detail']}" if step["detail"] else ""
    return f"✓ {step['step']:<11} {since(started, moment(step['at'])):>10}{detail}"


def _decide(
    identity: str, decision: str, by: str | None, reason: str, state: Path | None, *, as_json: bool
) -> None:
    with mesh_at(state) as mesh:
        saga = mesh.decide(identity, decision=decision, approver=by, reason=reason)
    if as_json:
        write_json(saga)
    elif saga["status"] == "refused":
        say(f"Onboarding {identity} of {saga['product']} is refused.")
    else:
        say(f"Onboarding {identity} of {saga['product']} is approved and goes on.")


def _tell(saga: Onboarding, *, as_json: bool, exit_refused: bool = True) -> None:
    if as_json:
        write_json(saga)
    else:
        _explain(saga)
    if exit_refused and saga["status"] == "refused":
        raise typer.Exit(ExitCode.REFUSED)


def _explain(saga: Onboarding) -> None:
    product = saga["product"] or "The declaration"
    match saga["status"]:
        case "refused":
            say(f"✗ {product} is refused: {plural(len(saga['findings']), 'finding')}.", style="red")
            show(findings_table(saga["findings"]))
        case "waiting":
            say(
                f"{product} waits for an approval, as policy asks. Decide with:",
                f"  mesh approve {saga['id']} --by NAME --reason TEXT",
                f"  mesh refuse {saga['id']} --by NAME --reason TEXT",
            )
        case "registered":
            say(f"{product} is in the mesh.", style="green")
        case "running":
            say(f"{product} is on its way.")
