"""From evidence to a draft: what is strong enough becomes a rule, the rest is told in a comment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.inference import kinds
from mesh.inference.evidence import Evidence
from mesh.inference.reading import FALLBACK, Layout
from mesh.validation.file_columns import FileColumn

STRONG = 20
"""So many values must speak for a guess before it becomes a rule."""

_TYPES = {"boolean": "boolean", "object": "object", "array": "array"}
_KEY_NAME = re.compile(r"(?:^|_)(?:id|ident|code|key|no|nr|number|uuid)$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A draft of a contract.

    Attributes:
        document: ODCS, which `check_contract` finds nothing wrong with.
        evidence: sentences by JSON Pointer of what they are about.
        rows: how many records the evidence is from.
    """

    document: Mapping[str, Any]
    evidence: Mapping[str, Sequence[str]]
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """All evidence of the files of one kind of record.

    Attributes:
        fields: evidence by field, in the order in which they were first seen.
        layout: of delimited text; None for other formats.
        columns: by field, as files with types of their own have them.
    """

    name: str
    rows: int
    fields: Mapping[str, Evidence]
    layout: Layout | None
    columns: Mapping[str, Sequence[FileColumn]] = field(default_factory=dict)
    taken_back: frozenset[str] = field(default_factory=frozenset)


def draft(sheet: Sheet) -> Draft:
    """The draft that the evidence speaks for; of fields in `taken_back` little is said."""
    comma = sheet.layout is not None and _has_decimal_comma(sheet)
    told: dict[str, list[str]] = {}
    key = _key(sheet)
    properties = []
    for place, (name, evidence) in enumerate(sheet.fields.items()):
        pointer = f"/schema/0/properties/{place}"
        made, said = _property(name, evidence, sheet, comma=comma)
        if name == key:
            said.append(f"Taken for the primary key: {evidence.seen:,} values, none twice.")
            made |= {"required": True, "unique": True, "primaryKey": True, "primaryKeyPosition": 1}
        elif evidence.repeats is False and evidence.seen == sheet.rows >= STRONG:
            said.append("Could be a key: no value came twice.")
        properties.append(made)
        told[pointer] = said
    told["/schema/0"] = [f"From {sheet.rows:,} records."]
    document = _document(sheet, properties)
    dialect = _dialect(sheet, comma=comma, told=told)
    if dialect:
        document["customProperties"] = [{"property": "fileDialect", "value": dialect}]
    return Draft(document=document, evidence=told, rows=sheet.rows)


def _document(sheet: Sheet, properties: list[dict[str, Any]]) -> dict[str, Any]:
    typed = all(_is_typed(made) for made in properties)
    return {
        # ODCS 3.2 wants a logicalType everywhere; 3.1 knows no enum.
        "apiVersion": "v3.2.0" if typed else "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:draft:{re.sub(r'[^A-Za-z0-9._-]+', '-', sheet.name)}",
        "name": sheet.name,
        "version": "0.1.0",
        "status": "draft",
        "schema": [
            {
                "name": sheet.name,
                "logicalType": "object",
                "physicalType": "file",
                "properties": properties if typed else [_unlisted(made) for made in properties],
            }
        ],
    }


def _is_typed(made: Mapping[str, Any]) -> bool:
    inner = [*made.get("properties", ()), *([made["items"]] if "items" in made else [])]
    return "logicalType" in made and all(map(_is_typed, inner))


def _unlisted(made: Mapping[str, Any]) -> dict[str, Any]:
    """A field without its enum, and without those of what is nested in it."""
    kept = {key: value for key, value in made.items() if key != "enum"}
    if "properties" in kept:
        kept["properties"] = [_unlisted(one) for one in kept["properties"]]
    if "items" in kept:
        kept["items"] = _unlisted(kept["items"])
    return kept


def _property(
    name: str, evidence: Evidence, sheet: Sheet, *, comma: bool
) -> tuple[dict[str, Any], list[str]]:
    """One field, and what was seen of it."""
    made: dict[str, Any] = {"name": name}
    nulls = sheet.rows - evidence.seen
    share = f"{nulls / sheet.rows:.2%} null" if nulls else "never null"
    said = [f"{evidence.seen:,} values, {share}."] if sheet.rows else ["No record was seen."]
    own = sheet.columns.get(name, ())
    if own:
        said.append(f"The file's own type is {' or '.join(sorted({one.type for one in own}))}.")
    if name in sheet.taken_back:
        said.append("The values do not keep what they seemed to promise; nothing is demanded.")
        if sheet.layout is not None or set(evidence.shapes) <= {"string"}:
            made |= _own_type(own) or {"logicalType": "string"}
        return made, said
    typed = _own_type(own)
    if not evidence.shapes and {one.json for one in own} in ({"array"}, {"object"}):
        typed = {"logicalType": own[0].json}
    if typed.get("logicalType") in {"integer", "number"} and evidence.low is not None:
        typed = _of_numbers(evidence, said, whole=typed["logicalType"] == "integer")
    made |= typed or _kind(evidence, said, comma=comma, text=sheet.layout is not None)
    if not nulls and evidence.seen >= STRONG:
        made["required"] = True
    return made, said


def _own_type(columns: Sequence[FileColumn]) -> dict[str, Any]:
    """The type that the files themselves say; nothing for texts and for what is nested."""
    kinds_of = {(column.json, column.format) for column in columns}
    if kinds_of == {("integer", None), ("number", None)}:
        kinds_of = {("number", None)}
    if len(kinds_of) != 1:
        return {}
    [(kind, form)] = kinds_of
    if form is not None:
        return dict(_DATED.get(form, {}))
    return {"logicalType": kind} if kind in {"integer", "number", "boolean"} else {}


_DATED: Mapping[str, Mapping[str, Any]] = {
    "date": {"logicalType": "date"},
    "date-time": {"logicalType": "timestamp"},
    "local-date-time": {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}},
    "local-time": {"logicalType": "time"},
}


def _kind(evidence: Evidence, said: list[str], *, comma: bool, text: bool) -> dict[str, Any]:
    """Type and options."""
    shapes = set(evidence.shapes)
    if not shapes:
        said.append("No value was seen, so the type is a guess.")
        return {"logicalType": "string"}
    if shapes == {"string"}:
        return _of_texts(evidence, said, comma=comma, text=text)
    if shapes <= {"integer", "number"}:
        return _of_numbers(evidence, said, whole=shapes == {"integer"})
    if len(shapes) > 1:
        counted = ", ".join(f"{count:,} {shape}" for shape, count in evidence.shapes.most_common())
        said.append(f"Values of several types ({counted}): no type is demanded.")
        return {}
    [shape] = shapes
    made: dict[str, Any] = {"logicalType": _TYPES[shape]}
    if shape == "object" and evidence.members:
        made["properties"] = [
            {"name": name, **_kind(member, [], comma=False, text=False)}
            for name, member in evidence.members.items()
        ]
    if shape == "array" and evidence.entries is not None and evidence.entries.shapes:
        made["items"] = _kind(evidence.entries, [], comma=False, text=False)
    return made


def _of_texts(evidence: Evidence, said: list[str], *, comma: bool, text: bool) -> dict[str, Any]:
    listed: Mapping[str, int] = evidence.listed or {}
    if text and set(listed) and set(listed) <= {"true", "false"}:
        said.append("Only true and false were seen.")
        return {"logicalType": "boolean"}
    if text and (evidence.commas if comma else evidence.numbers):
        return _of_numbers(evidence, said, whole=evidence.integers)
    if evidence.temporal:
        return _of_times(evidence, said)
    made: dict[str, Any] = {"logicalType": "string"}
    if text and not evidence.integers and all(value.isdigit() for value in listed or ["-"]):
        said.append("Digits with leading zeros, or too many for a number: a text.")
    options = _text_options(evidence, said)
    if options:
        made["logicalTypeOptions"] = options
    if "pattern" not in options or len(listed) <= STRONG // 2:
        made |= _enum(evidence, said)
    return made


def _of_numbers(evidence: Evidence, said: list[str], *, whole: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"logicalType": "integer" if whole else "number"}
    low, high = evidence.low, evidence.high
    assert low is not None
    said.append(f"From {low} to {high}.")
    many = evidence.listed is None or len(evidence.listed) >= STRONG
    if low >= 0 and many and evidence.seen >= 5 * STRONG:
        said.append("None was below zero.")
        made["logicalTypeOptions"] = {"minimum": 0}
    return made


def _of_times(evidence: Evidence, said: list[str]) -> dict[str, Any]:
    if len(evidence.temporal) > 1:
        said.append(f"Could be {' or '.join(evidence.temporal)}; a text until you say which.")
        return {"logicalType": "string"}
    [kind] = evidence.temporal
    logical_type, options = kinds.TEMPORAL[kind]
    said.append(f"Every value is a {kind}." if not options else f"Every value is written {kind}.")
    return {"logicalType": logical_type, **({"logicalTypeOptions": options} if options else {})}


def _text_options(evidence: Evidence, said: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    assert evidence.lengths is not None
    low, high = evidence.lengths
    said.append(f"{low} characters." if low == high else f"{low} to {high} characters.")
    different = STRONG if evidence.listed is None else len(evidence.listed)
    if evidence.seen < STRONG or different < STRONG // 2:
        return options
    if evidence.named:
        said.append(f"Every value is of the format {evidence.named[0]}.")
        return {"format": evidence.named[0]}
    if low == high and evidence.codes:
        said.append(f"Every value is {low} of {evidence.codes[0]}.")
        options["pattern"] = f"^{evidence.codes[0]}{{{low}}}$"
    elif low == high and low > 0:
        options |= {"minLength": low, "maxLength": high}
    return options


def _enum(evidence: Evidence, said: list[str]) -> dict[str, Any]:
    listed = evidence.listed
    if not listed or evidence.seen < 2 * STRONG:
        return {}
    if len(listed) > STRONG or min(listed.values()) < 3 or evidence.seen < 10 * len(listed):
        return {}
    said.append(f"Only {len(listed)} values, each at least {min(listed.values())} times.")
    return {"enum": [{"value": value} for value in sorted(listed)]}


def _key(sheet: Sheet) -> str | None:
    """The field that most likely identifies a record: none is taken without many records."""
    able = [
        name
        for name, evidence in sheet.fields.items()
        if evidence.repeats is False
        and evidence.seen == sheet.rows >= STRONG
        and name not in sheet.taken_back
        and evidence.shapes.keys() <= {"string", "integer"}
        and not (evidence.lengths and evidence.temporal)
        and (evidence.lengths or (0, 0))[1] <= 64
    ]
    named = [name for name in able if _KEY_NAME.search(name)]
    first = next(iter(sheet.fields), None)
    return next(iter(named), first if first in able else None)


def _has_decimal_comma(sheet: Sheet) -> bool:
    found = [item for item in sheet.fields.values() if item.seen]
    commas = any(item.commas and item.fractions and not item.numbers for item in found)
    return commas and not any(item.numbers and not item.integers for item in found)


def _dialect(sheet: Sheet, *, comma: bool, told: dict[str, list[str]]) -> dict[str, Any]:
    layout = sheet.layout
    if layout is None:
        return {}
    dialect: dict[str, Any] = {"separator": layout.separator}
    said = [f"{layout.agreement:.0%} of the first records have as many cells as the first."]
    if not layout.named_by_file:
        dialect["header"] = False
        said.append("The first record has empty cells, numbers or repetitions: no names.")
    if comma:
        dialect["decimalMark"] = ","
        said.append("Numbers have a decimal comma.")
    if layout.encoding != "utf-8":
        dialect["encoding"] = layout.encoding
        if layout.encoding == FALLBACK:
            said.append("The file is not UTF-8; this encoding is the likeliest.")
    told["/customProperties/0"] = said
    return dialect
