"""What is wrong with a document somebody wrote, said so that they can put it right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One reason why a declaration or a contract is refused; all of them are given at once.

    Attributes:
        file: Name of the document, as its author knows it (`runways.odcs.yaml`).
        path: Where in the document, as an RFC 6901 JSON Pointer; empty for the whole document.
        rule: Stable dotted name of the rule that is broken, for machines and for the docs.
        message: What is wrong, in one sentence.
        remedy: What to do about it, in one sentence.
    """

    file: str
    path: str
    rule: str
    message: str
    remedy: str
