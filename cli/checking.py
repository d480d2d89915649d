"""`mesh check`: what the mesh would say of a file, without a mesh."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.check_outputs import CheckOutputs
from cli.contract_files import CHUNK, Variables, contract_of, object_of, refused, unreadable
from cli.failures import ExitCode, wrong_call
from cli.known_data import With, known_data, opened, referred_contracts
from cli.options import AsJson, Form, Format
from cli.output import console, write_json
from cli.verdicts import show_receipt, write_page

if TYPE_CHECKING:
    from mesh.checking import Check

Files = Annotated[
    list[str] | None,
    typer.Argument(metavar="FILE", help="The files, or patterns of their names (`*.csv`)."),
]
Stdin = Annotated[
    str | None,
    typer.Option(
        "--stdin", metavar="NAME", help="Judge standard input, as a file of this name (`a.csv`)."
    ),
]
Contract = Annotated[
    Path,
    typer.Option(
        "--contract",
        metavar="C",
        help="ODCS contract (YAML, JSON), or the JSON Schema of one record.",
        exists=True,
        dir_okay=False,
    ),
]
ObjectName = Annotated[
    str | None,
    typer.Option("--object", metavar="NAME", help="Which of the contract's objects it holds."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Write receipt, violations, good and bad rows there, good ones as Parquet too.",
    ),
]


def check(
    contract: Contract,
    files: Files = None,
    stdin: Stdin = None,
    object_name: ObjectName = None,
    known: With = None,
    variables: Variables = None,
    out: Out = None,
    form: Format = None,
    as_json: AsJson = False,
) -> None:
    """Judge files by a contract, offline: the verdicts are those that landing would give.

    Exits with 0 when all are accepted, 1 when one is rejected, 2 when one cannot be checked. Of
    several files, --out gets a folder for each, and --json is one document with all receipts.
    """
    if form and as_json:
        raise wrong_call("Ask for --json or --format, not both.")
    from mesh.checking import Check

    found = _found(files or [], stdin)
    if form in {Form.HTML, Form.CSV} and len(found) > 1:
        raise wrong_call("A page in HTML, or a table in CSV, is of one file; name one.")
    places = _places(found, out)
    read = contract_of(contract, variables)
    data, contracts = known_data(known or []), referred_contracts(read, contract.parent)
    chosen, quiet = object_of(read, object_name), as_json or form is not None
    asking = partial(Check, contract=read, object_name=chosen, known=data, contracts=contracts)
    receipts, others = [], [contract, *(Path(one.partition("=")[2]) for one in known or ())]
    for given, place in zip(found, places, strict=True):
        asked = asking(file=given.name)
        receipts.append(_judged(asked, given, place, others=others, quiet=quiet))
        if form:
            write_page(receipts[-1], form)
        elif not as_json:
            show_receipt(receipts[-1])
    verdicts = {receipt["verdict"] for receipt in receipts}
    if as_json:
        verdict = "rejected" if "rejected" in verdicts else "accepted"
        several = {"verdict": verdict, "receipts": receipts}
        write_json(receipts[0] if len(receipts) == 1 else several)
    if verdicts != {"accepted"}:
        raise typer.Exit(ExitCode.REFUSED)


def _judged(
    asked: Check, given: _Given, out: Path | None, *, others: Sequence[Path], quiet: bool
) -> dict[str, Any]:
    """The receipt of one file; `others` are read beside it."""
    from datetime import UTC, datetime

    from mesh.errors import Rejected

    read = [*others, *([given.path] if given.path else [])]
    outputs = CheckOutputs(out, asked, read=read)
    with outputs, _chunks(given.path, quiet=quiet) as chunks:
        at = datetime.now(UTC)
        to, parts, again = outputs.parquet, outputs.parts, opened(given.path)
        try:
            receipt = asked.run(chunks, outputs.sink, at=at, parquet=to, parts=parts, again=again)
        except Rejected as wrong:
            raise refused(wrong) from None
        outputs.keep(receipt)
    return receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """A file to be judged; `path` is None for standard input."""

    name: str
    path: Path | None


def _found(names: list[str], stdin: str | None) -> list[_Given]:
    """The files that are asked for, each once."""
    if stdin is not None:
        if names:
            raise wrong_call("Give files, or --stdin, not both.")
        return [_Given(name=Path(stdin).name, path=None)]
    paths = list(dict.fromkeys(path for name in names for path in _matching(name)))
    if not paths:
        raise wrong_call("Missing argument 'FILE': name files, or --stdin.")
    return [_Given(name=path.name, path=path) for path in paths]


def _matching(name: str) -> list[Path]:
    """The file of this name, or those that a pattern matches, `**` in any folder below."""
    path = Path(name)
    if path.is_file():
        return [path]
    if path.is_dir():
        raise wrong_call(f"{name!r} is a directory; name its files: {path / '*.csv'}")
    if path.exists():
        message = f"{name!r} is a pipe or a device; give what it holds with --stdin NAME."
        raise wrong_call(message)
    if not glob.has_magic(name):
        raise wrong_call(f"The file {name!r} does not exist.")
    # Path.glob takes no absolute patterns.
    matched = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
    found = [Path(one) for one in matched if Path(one).is_file()]
    if not found:
        raise wrong_call(f"No file matches {name!r}.")
    return found


def _places(found: list[_Given], out: Path | None) -> list[Path | None]:
    """Where the outputs of each file go."""
    if out is None or len(found) == 1:
        return [out for _ in found]
    names = [given.name for given in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"Several files are called {', '.join(twice)}; their outputs would mix in --out."
        raise wrong_call(message)
    return [out / name for name in names]


@contextmanager
def _chunks(file: Path | None, *, quiet: bool) -> Iterator[Iterator[bytes]]:
    """The bytes of a file; on a terminal, a bar tells how far they were read."""
    if file is None:
        yield iter(lambda: sys.stdin.buffer.read(CHUNK), b"")
        return
    try:
        data = file.open("rb")
    except OSError as wrong:
        raise unreadable(file, wrong) from None
    with data, _bar(file, quiet=quiet) as advance:

        def pieces() -> Iterator[bytes]:
            while piece := data.read(CHUNK):
                yield piece
                advance(len(piece))

        yield pieces()


@contextmanager
def _bar(file: Path, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """What to tell of each piece that was read; without a terminal, nobody listens."""
    out = console(errors=True)
    if quiet or not out.is_terminal:
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(console=out, transient=True) as bar:
        task = bar.add_task(f"checking {file.name}", total=file.stat().st_size)
        yield lambda size: bar.advance(task, size)
