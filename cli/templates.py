"""`mesh template`: an organisation's own modules of infrastructure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answers.onboarding import SecurityProfile, Template
from cli.failures import wrong_call
from cli.options import AsJson, State, mesh_at
from cli.output import say, show, table, write_json

app = typer.Typer(
    name="template",
    help="Register your own modules of Bicep or Terraform, and see which profiles they satisfy.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("register")
def register(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Description of the template, YAML or JSON.",
            exists=True,
            dir_okay=False,
        ),
    ],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Register a template in a version, which never changes from then on.

    The same again changes nothing. Exits with 1 when the version is registered with other content.
    """
    described = _described(file)
    with mesh_at(state) as mesh:
        found = mesh.register_template(described)
    if as_json:
        write_json(found)
    else:
        profiles = ", ".join(found["satisfies"]) or "no profile"
        say(f"{found['name']}@{found['version']} is registered; it satisfies {profiles}.")


@app.command("list")
def list_(state: State = None, as_json: AsJson = False) -> None:
    """List the templates, and the security profiles that products' data ask for."""
    with mesh_at(state) as mesh:
        found, profiles = mesh.templates()
    if as_json:
        write_json({"templates": found, "profiles": profiles})
        return
    if found:
        of_templates = ("template", "kind", "satisfies", "description", "source")
        show(table(of_templates, map(_row, found), title="Templates"))
    else:
        say("No template is registered.")
    columns = ("profile", "for data that are", "network", "encryption", "kept", "readers, writers")
    show(table(columns, map(_profile_row, profiles), title="Security profiles"))


@app.command("show")
def show_(
    template: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The template.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show a template: its source, its parameters, and the profiles it satisfies."""
    named = template_named(template)
    with mesh_at(state) as mesh:
        found = mesh.template(named["name"], named["version"])
    if as_json:
        write_json(found)
        return
    say(f"{found['name']}@{found['version']}  {found['kind']}", style="bold")
    say(
        found["description"],
        f"Source: {found['source']}",
        f"Satisfies: {', '.join(found['satisfies']) or 'no profile'}",
        f"Registered by {found['registered_by']} at {found['registered_at']}",
    )
    if found["parameters"]:
        rows = (
            (one["name"], "yes" if one["required"] else "no", one["description"])
            for one in found["parameters"]
        )
        show(table(("parameter", "required", "what it is"), rows))


def template_named(text: str) -> dict[str, str]:
    """`NAME@VERSION` as the API takes it.

    Raises:
        Failed: it is none.
    """
    from mesh.errors import Rejected
    from mesh.model.template import TemplateName

    try:
        named = TemplateName.parse(text)
    except Rejected as wrong:
        raise wrong_call(str(wrong), problem=wrong.problem) from None
    return {"name": named.name, "version": named.version}


def _described(file: Path) -> dict[str, Any]:
    from mesh.documents import read_document
    from mesh.model.findings import Finding

    found = read_document(file.name, file.read_bytes())
    if isinstance(found, Finding):
        message = f"{file}: {found.message} {found.remedy}"
        raise wrong_call(message, problem="no-template")
    return found


def _row(found: Template) -> tuple[object, ...]:
    name = f"{found['name']}@{found['version']}"
    satisfies = ", ".join(found["satisfies"])
    return (name, found["kind"], satisfies, found["description"], found["source"])


def _profile_row(found: SecurityProfile) -> tuple[object, ...]:
    return (
        found["name"],
        ", ".join(found["classifications"]),
        found["network"],
        found["encryption"],
        f"{found['retention_days']} days",
        f"{found['readers']}, {found['writers']}",
    )
