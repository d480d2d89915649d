"""A receipt for people: Markdown for a comment, HTML for a mail or an archive, CSV for a sheet.

What stands in it comes from files of strangers, so in each of them it is text and nothing else: no
tag, no link, no formula.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

Page = Literal["md", "html", "csv"]

_MARKS = "\\`*_[]<>|#~&!"
_COLUMNS = ("row", "line", "field", "rule", "value", "message")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}"
    "table{border-collapse:collapse}th,td{border:1px solid #bbb;padding:.25rem .5rem;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}"
)


def page(receipt: Mapping[str, Any], form: Page) -> str:
    """The receipt in one of the forms; CSV holds the violations that it shows."""
    if form == "csv":
        return violations_csv(receipt["violations"])
    return markdown(receipt) if form == "md" else page_html(receipt)


def markdown(receipt: Mapping[str, Any]) -> str:
    """The receipt as GitHub-flavoured Markdown."""
    lines = [f"# {_md(receipt['file']['name'])}: {_md(receipt['verdict'])}", "", _md(_by(receipt))]
    lines += ["", _md(_counted(receipt))]
    for sentence in _problems(receipt):
        lines += ["", f"**{_md(sentence)}**"]
    for title, columns, rows in _tables(receipt):
        lines += ["", f"## {title}", "", f"| {' | '.join(columns)} |"]
        lines.append(f"| {' | '.join('---' for _ in columns)} |")
        lines += [f"| {' | '.join(_md(cell) for cell in row)} |" for row in rows]
    lines += ["", *(_md(sentence) for sentence in _more(receipt))]
    return "\n".join(lines).rstrip() + "\n"


def page_html(receipt: Mapping[str, Any]) -> str:
    """The receipt as a page of its own, which loads and runs nothing."""
    name, verdict = (_html(receipt["file"]["name"]), _html(receipt["verdict"]))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{name}: {verdict}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{name}: {verdict}</h1>",
    ]
    parts += [f"<p>{_html(sentence)}</p>" for sentence in (_by(receipt), _counted(receipt))]
    parts += [f"<p><strong>{_html(sentence)}</strong></p>" for sentence in _problems(receipt)]
    for title, columns, rows in _tables(receipt):
        parts += [f"<h2>{title}</h2>", "<table>", _html_row(columns, "th")]
        parts += [_html_row(row, "td") for row in rows]
        parts.append("</table>")
    parts += [f"<p>{_html(sentence)}</p>" for sentence in _more(receipt)]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def violations_csv(violations: Iterable[Mapping[str, Any]]) -> str:
    """Violations as a table; what a spreadsheet would calculate begins with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_calm(found[name]) for name in _COLUMNS] for found in violations)
    return out.getvalue()


def _tables(
    receipt: Mapping[str, Any],
) -> Iterator[tuple[str, Sequence[str], list[list[object]]]]:
    rules = receipt["counts"]["byRule"]
    if rules:
        rows: list[list[object]] = [[rule, f"{count:,}"] for rule, count in rules.items()]
        yield "Rules that were broken", ("rule", "violations"), rows
    if receipt["violations"]:
        shown = [[found[name] for name in _COLUMNS] for found in receipt["violations"]]
        yield "Violations", _COLUMNS, shown


def _by(receipt: Mapping[str, Any]) -> str:
    contract = receipt["contract"]
    if not contract["id"]:
        return f"Judged {receipt['decidedAt']}; no contract was found for it."
    return (
        f"Judged {receipt['decidedAt']} by contract {contract['id']} {contract['version']}, "
        f"object {contract['object']}."
    )


def _counted(receipt: Mapping[str, Any]) -> str:
    counts = receipt["counts"]
    found = [(counts["rows"], "row"), (counts["violations"], "violation")]
    rows, violations = (f"{many:,} {noun}{'' if many == 1 else 's'}" for many, noun in found)
    return f"{rows}: {counts['accepted']:,} good, {counts['rejected']:,} bad, {violations}."


def _problems(receipt: Mapping[str, Any]) -> Iterator[str]:
    for found in receipt["problems"]:
        yield f"{found['message']} {found['remedy']}"
    for found in receipt["warnings"]:
        yield f"Warning: {found['message']} {found['remedy']}"


def _more(receipt: Mapping[str, Any]) -> Iterator[str]:
    left = receipt["counts"]["violations"] - len(receipt["violations"])
    if left > 0:
        yield f"{left:,} more violations are not shown."
    if joins := receipt.get("joins"):
        yield f"It joins {joins['rows']:,} good rows of {', '.join(joins['drops'])}."
    if correction := receipt.get("correction"):
        yield f"Correct the reject file and drop it at {correction['place']}."


def _md(value: object) -> str:
    """Text within Markdown: no cell, tag, emphasis, or link of its own, not even a bare address."""
    text = _text(value)
    for mark in _MARKS:
        text = text.replace(mark, f"\\{mark}")
    text = text.replace("://", "\\://").replace("@", "\\@")
    return re.sub(r"(www)\.", r"\1\\.", text, flags=re.IGNORECASE)


def _html(value: object) -> str:
    return html.escape(_text(value), quote=True)


def _html_row(cells: Iterable[object], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_html(cell)}</{tag}>' for cell in cells)}</tr>"


def _calm(value: object) -> object:
    """What begins like a formula is told to be text, also after spaces that a sheet drops."""
    if not isinstance(value, str):
        return value
    formula = value[:1] in "\t\r\n" or value.lstrip()[:1] in "=+-@\uff1d\uff0b\uff0d\uff20"
    return f"'{value}" if value.strip() and formula else value


def _text(value: object) -> str:
    """One line of what can be printed."""
    words = " ".join(("" if value is None else str(value)).split())
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in words)
