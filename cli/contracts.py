"""`mesh contract`: lint, compare and try contracts, before anything is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.contract_files import Variables, bytes_of, contract_of, object_of, values_of
from cli.contract_samples import try_samples
from cli.failures import ExitCode, wrong_call
from cli.inferring import infer
from cli.options import AsJson
from cli.output import findings_table, plural, say, show, table, write_json
from cli.previewing import consumers

if TYPE_CHECKING:
    from mesh.model.compatibility import Change
    from mesh.model.findings import Finding

app = typer.Typer(
    name="contract",
    help="Work on data contracts; all but consumers is offline.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ContractFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="ODCS contract (YAML, JSON), or the JSON Schema of one record.",
        exists=True,
        dir_okay=False,
    ),
]
Olds = Annotated[
    list[Path],
    typer.Argument(
        metavar="OLD",
        help="What is published, the newest last; a transitive mode looks at all.",
        exists=True,
        dir_okay=False,
    ),
]
New = Annotated[
    Path,
    typer.Argument(
        metavar="NEW", help="The version that is to be published.", exists=True, dir_okay=False
    ),
]


class Mode(StrEnum):
    """The compatibility modes, by the names of the Schema Registry."""

    NONE = "none"
    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"
    BACKWARD_TRANSITIVE = "backward_transitive"
    FORWARD_TRANSITIVE = "forward_transitive"
    FULL_TRANSITIVE = "full_transitive"


def lint(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Contracts to be checked.", exists=True, dir_okay=False
        ),
    ],
    variables: Variables = None,
    as_json: AsJson = False,
) -> None:
    """Tell everything that is wrong with contracts. Exits with 1 when there is something."""
    values = values_of(variables)
    linted = [_linted(file, values) for file in files]
    findings = [asdict(found) for wrong, _ in linted for found in wrong]
    warnings = [asdict(found) for _, warned in linted for found in warned]
    if as_json:
        names = [str(file) for file in files]
        write_json({"files": names, "findings": findings, "warnings": warnings})
        raise typer.Exit(ExitCode.REFUSED if findings else 0)
    for one in warnings:
        told = f"Warning: {one['file']} {one['path']}: {one['message']} {one['remedy']}"
        say(told, style="yellow")
    if findings:
        show(findings_table(findings))
        say(f"{plural(len(findings), 'finding')} in {plural(len(files), 'file')}", style="bold red")
    else:
        say(f"{plural(len(files), 'file')}, no findings", style="bold green")
    if findings:
        raise typer.Exit(ExitCode.REFUSED)


def schema(
    file: ContractFile,
    object_name: Annotated[
        str | None,
        typer.Option("--object", metavar="NAME", help="Which of the contract's objects."),
    ] = None,
    variables: Variables = None,
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema of one record, as it is published beside the contract.

    It is written over several lines; with --json, on one.
    """
    from mesh.model.contract import record_schema

    contract = contract_of(file, variables)
    made = record_schema(contract, object_of(contract, object_name))
    if as_json:
        write_json(made)
        return
    import json

    typer.echo(json.dumps(made, ensure_ascii=False, indent=2))


def diff(
    old: Olds,
    new: New,
    mode: Annotated[
        Mode, typer.Option("--mode", help="What the new version has to keep.", case_sensitive=False)
    ] = Mode.FORWARD,
    variables: Variables = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions of a contract, and whom each change breaks.

    Exits with 1 when a change is breaking in the mode that is asked for.
    """
    from mesh.model.compatibility import compare_all

    if len(old) > 1 and not mode.endswith("_transitive"):
        message = f"Several old versions are compared in a transitive mode: {mode}_transitive."
        raise wrong_call(message)
    versions = [contract_of(file, variables) for file in (*old, new)]
    changes = compare_all(versions[:-1], versions[-1], mode.value)
    broken = [change for change in changes if change.verdict == "breaking"]
    if as_json:
        verdict = "breaking" if broken else "compatible"
        shown = [change.to_data() for change in changes]
        numbers = {"old": versions[-2].version, "new": versions[-1].version}
        write_json({**numbers, "mode": mode.value, "verdict": verdict, "changes": shown})
    else:
        _show_changes(changes, len(broken), mode)
    if broken:
        raise typer.Exit(ExitCode.REFUSED)


def _linted(
    file: Path, variables: Mapping[str, str]
) -> tuple[Sequence[Finding], Sequence[Finding]]:
    """What is wrong with a contract, and what it says that no file is checked by."""
    from mesh.documents import read_document
    from mesh.model.contract_check import check_contract, unchecked_findings
    from mesh.query_checks import query_findings
    from mesh.service_checks import service_findings

    document = read_document(str(file), bytes_of(file), variables=variables)
    if not isinstance(document, dict):
        return [document], ()
    found = check_contract(document, file=str(file))
    if found:
        return found, ()
    wrong = [*service_findings(document, file=str(file)), *query_findings(document, file=str(file))]
    return wrong, unchecked_findings(document, file=str(file))


def _show_changes(changes: list[Change], broken: int, mode: Mode) -> None:
    if changes:
        columns = ("object", "field", "rule", "what changed", "breaks", "verdict")
        rows = ((c.object_name, c.field, c.rule, c.message, c.breaks, c.verdict) for c in changes)
        show(table(columns, rows))
    name = mode.value.upper()
    if broken:
        said = f"{plural(broken, 'breaking change')} of {len(changes)} ({name})"
        say(f"{said}: publish it under a new major version.", style="bold red")
    else:
        say(f"{plural(len(changes), 'change')}, compatible ({name})", style="bold green")


app.command()(lint)
app.command()(schema)
app.command()(infer)
app.command()(diff)
app.command()(consumers)
app.command("test")(try_samples)
