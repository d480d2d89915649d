"""A verdict and the receipt it rests on, for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from cli.answers.drops import Drop, Receipt
from cli.options import Form
from cli.output import plural, say, show, table

VERDICT_STYLES: Mapping[str, str] = {
    "accepted": "bold green",
    "rejected": "bold red",
    "superseded": "bold yellow",
}
VIOLATIONS_SHOWN = 20


def show_verdict(verdict: Drop, receipt: Receipt) -> None:
    """The decision about a dropped file, with the first violations."""
    word = verdict["verdict"]
    say(f"{verdict['file']}  {word}", style=VERDICT_STYLES[word])
    say(verdict["summary"])
    show_violations(receipt)
    show_correction(receipt)
    say(f"Drop {verdict['drop']}, receipt {verdict['receipt']}", style="dim")


def show_receipt(receipt: Receipt) -> None:
    """A receipt by itself."""
    counts, contract = receipt["counts"], receipt["contract"]
    word = receipt["verdict"]
    say(f"{receipt['file']['name']}  {word}", style=VERDICT_STYLES[word])
    if contract["id"]:
        say(f"by {contract['id']} {contract['version']}, object {contract['object']}")
    if counts["rows"] or not receipt["problems"]:
        say(
            f"{plural(counts['rows'], 'row')}: {counts['accepted']:,} good, "
            f"{counts['rejected']:,} bad, {plural(counts['violations'], 'violation')}"
        )
    for problem in receipt["problems"]:
        say(f"{problem['message']} {problem['remedy']}")
    show_violations(receipt)
    for known in receipt.get("references", ()):
        where = known["file"] if "file" in known else f"sequence {known['sequence']}"
        say(
            f"{', '.join(known['fields'])} checked against {known['product']} {known['object']}, "
            f"{where}: {known['unknown']:,} unknown",
            style="dim",
        )
    for place, location in receipt["locations"].items():
        say(f"{place}: {location}", style="dim")
    show_correction(receipt)


def show_correction(receipt: Receipt) -> None:
    """What joins the file, and how its bad rows can be mended."""
    if joins := receipt.get("joins"):
        first = joins["drops"][0]
        say(f"joined by {plural(joins['rows'], 'good row')} of {first} and its corrections")
    if correction := receipt.get("correction"):
        say(f"Correct the reject file and drop it at {correction['place']}")


def write_page(receipt: Receipt, form: Form) -> None:
    """A receipt as a page, or its violations as a table, byte for byte."""
    from mesh.model.receipt_pages import page

    sys.stdout.buffer.write(page(receipt, form.value).encode("utf-8", "replace"))
    sys.stdout.flush()


def show_violations(receipt: Receipt) -> None:
    """The first violations, the warnings, and how many violations are not shown."""
    for warning in receipt["warnings"]:
        say(f"Warning: {warning['message']} {warning['remedy']}", style="yellow")
    shown = receipt["violations"][:VIOLATIONS_SHOWN]
    if not shown:
        return
    columns = ("row", "line", "field", "rule", "value", "what is wrong")
    show(
        table(
            columns,
            (
                (
                    found["row"],
                    found["line"],
                    found["field"],
                    found["rule"],
                    found["value"],
                    found["message"],
                )
                for found in shown
            ),
        )
    )
    more = receipt["counts"]["violations"] - len(shown)
    if more > 0:
        say(f"… and {plural(more, 'violation')} more")
