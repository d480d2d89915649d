"""A draft as YAML, with its evidence as comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mesh.inference.drafting import Draft

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]*[A-Za-z0-9_]|v[0-9]+\.[0-9]+\.[0-9]+|[A-Za-z]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_UNPRINTABLE = re.compile("[\x7f-\x9f\ufeff\u2028\u2029\ufffe\uffff]")


def as_yaml(draft: Draft) -> str:
    """The draft's document as YAML 1.2; each comment stands above what it is about."""
    head = (
        "# A draft, inferred from files. Every rule is a guess with its evidence beside it: keep\n"
        "# those that are meant, correct the others, and give it id, owner and purpose.\n"
    )
    return head + "".join(f"{line}\n" for line in _mapping(draft.document, "", "", draft.evidence))


def _mapping(
    value: Mapping[str, Any], indent: str, pointer: str, told: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    for key, member in value.items():
        yield from _member(f"{indent}{_scalar(key)}:", member, indent, f"{pointer}/{key}", told)


def _member(
    head: str, value: Any, indent: str, pointer: str, told: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, f"{indent}  ", pointer, told)
    elif isinstance(value, list) and value:
        yield head
        for place, entry in enumerate(value):
            yield from _entry(entry, f"{indent}  ", f"{pointer}/{place}", told)
    else:
        yield f"{head} {_scalar(value)}"


def _entry(
    value: Any, indent: str, pointer: str, told: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    yield from (f"{indent}# {_comment(sentence)}" for sentence in told.get(pointer, ()))
    if not isinstance(value, Mapping):
        yield f"{indent}- {_scalar(value)}"
        return
    lines = _mapping(value, f"{indent}  ", pointer, told)
    first = next(lines)
    yield f"{indent}- {first.lstrip()}"
    yield from lines


def _scalar(value: object) -> str:
    """JSON is YAML; plain words are left without quotes."""
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _comment(sentence: str) -> str:
    """One line that ends nothing and begins nothing."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in sentence)
