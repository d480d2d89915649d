"""`mesh check`: what the mesh would say of a file, without a mesh."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Self

import typer

from cli.contract_files import CHUNK, contract_of, object_of, unreadable
from cli.failures import ExitCode, wrong_call
from cli.options import AsJson
from cli.output import console, write_json
from cli.verdicts import show_receipt

if TYPE_CHECKING:
    from mesh.checking import Check
    from mesh.validation import Sink

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="The file.", exists=True, dir_okay=False)
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
    file: File,
    contract: Contract,
    object_name: ObjectName = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Judge a file by a contract, offline: the verdict is the one that landing would give.

    Exits with 0 when the file is accepted, 1 when it is rejected, 2 when it cannot be checked.
    """
    asked = _asked(file, contract, object_name)
    with _Outputs(out, file.name) as outputs, _chunks(file, quiet=as_json) as chunks:
        from datetime import UTC, datetime

        at = datetime.now(UTC)
        receipt = asked.run(chunks, outputs.sink, at=at, parquet=outputs.parquet)
        outputs.keep(receipt)
    if as_json:
        write_json(receipt)
    else:
        show_receipt(receipt)
    if receipt["verdict"] != "accepted":
        raise typer.Exit(ExitCode.REFUSED)


def _asked(file: Path, contract: Path, object_name: str | None) -> Check:
    from mesh.checking import Check

    read = contract_of(contract)
    return Check(file=file.name, contract=read, object_name=object_of(read, object_name))


@contextmanager
def _chunks(file: Path, *, quiet: bool) -> Iterator[Iterator[bytes]]:
    """The bytes of a file; on a terminal, a bar tells how far they were read."""
    try:
        data = file.open("rb")
    except OSError as wrong:
        raise unreadable(file, wrong) from None
    out = console(errors=True)
    with data:
        if quiet or not out.is_terminal:
            yield iter(lambda: data.read(CHUNK), b"")
            return
        from rich.progress import Progress

        with Progress(console=out, transient=True) as bar:
            task = bar.add_task("checking", total=file.stat().st_size)

            def pieces() -> Iterator[bytes]:
                while piece := data.read(CHUNK):
                    yield piece
                    bar.advance(task, len(piece))

            yield pieces()


class _Outputs:
    """The files that `--out` asks for; the good rows stay only if the file is accepted."""

    def __init__(self, folder: Path | None, file: str) -> None:
        self._folder = folder
        self._exit = ExitStack()
        ending = _ending(file)
        self._names = {
            "published": f"accepted{ending}",
            "parquet": "accepted.parquet",
            "rejects": f"rejected{ending}",
            "violations": "violations.jsonl",
        }
        self.sink: Sink
        self.parquet: IO[bytes] | None = None

    def __enter__(self) -> Self:
        from mesh.validation import NullSink, StreamSink

        if self._folder is None:
            self.sink = NullSink()
            return self
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            streams = {
                key: self._exit.enter_context((self._folder / name).open("wb"))
                for key, name in self._names.items()
            }
        except OSError as wrong:
            self._exit.close()
            message = (
                f"{self._folder} cannot be written to: {wrong.strerror}. Choose another --out."
            )
            raise wrong_call(message, problem="unwritable-folder") from None
        self.parquet = streams["parquet"]
        self.sink = StreamSink(
            accepted=streams["published"],
            rejected=streams["rejects"],
            violations=streams["violations"],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def keep(self, receipt: dict[str, Any]) -> None:
        """Remove what the verdict has no use for, and write down the rest in the receipt."""
        if self._folder is None:
            return
        self._exit.close()
        wanted = ["published", "parquet"] if receipt["verdict"] == "accepted" else []
        wanted += ["rejects", "violations"] if receipt["counts"]["rejected"] else []
        for key, name in self._names.items():
            if key in wanted:
                receipt["locations"][key] = str(self._folder / name)
            else:
                (self._folder / name).unlink()
        write_receipt(self._folder / "receipt.json", receipt)


def _ending(file: str) -> str:
    """Of the files with good and with bad rows."""
    from mesh.validation import FileFormat

    file_format = FileFormat.from_name(file)
    return Path(
        file_format.records_name(file) if isinstance(file_format, FileFormat) else file
    ).suffix


def write_receipt(file: Path, receipt: dict[str, Any]) -> None:
    """The receipt as a file of its own."""
    with file.open("w", encoding="utf-8") as stream:
        write_json(receipt, to=stream)
