"""Whether the options, enums and parts of a property go with its logical type."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mesh.model.contract_schema import ISO_LAYOUT
from mesh.model.instants import instant
from mesh.model.jdk_dates import UnsupportedLayoutError, layout_expression, parse
from mesh.model.odcs_problem import Problem
from mesh.model.odcs_values import is_number, pattern_problems

_TEMPORAL = {"date", "timestamp", "time"}
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_PAIRS = (
    ("minLength", "maxLength"),
    ("minimum", "maximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
)
_PARTS = {"properties": "object", "items": "array", "map": "map"}
_WITHOUT_OPTIONS = {"boolean", "map"}
_KEYS = {"string", "date", "timestamp", "time"}
_PLAIN_KEYS = {"integer", "number", "boolean"}


def option_problems(item: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is wrong with a property itself; what is within it is another's to tell."""
    kind, given = _kind(item), item.get("logicalTypeOptions")
    options: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    at = f"{path}/logicalTypeOptions"
    yield from _part_problems(item, kind, path)
    if kind in _WITHOUT_OPTIONS and options:
        yield Problem(
            at,
            "odcs.options",
            f"The standard has no options of a {kind}: {', '.join(map(str, options))}.",
            "Leave them out; what is within a map has options of its own.",
        )
    if kind == "vector" and "dimensions" not in options:
        yield Problem(
            path,
            "odcs.vector",
            "The vector does not say how many numbers it has.",
            "Write `dimensions` under logicalTypeOptions.",
        )
    pattern = options.get("pattern")
    if isinstance(pattern, str):
        yield from pattern_problems(pattern, f"{at}/pattern")
    if kind is not None and kind in _TEMPORAL:
        yield from _temporal_problems(kind, options, at)
    else:
        yield from _bound_problems(options, lambda value: value if is_number(value) else None, at)
    yield from _flag_problems(options, at)
    yield from _enum_problems(item, kind, path)
    yield from _position_problems(item, path)
    yield from _measure_problems(item, path)
    yield from _name_problems(item, path)


def key_problems(key: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is wrong with the keys of a map, which are texts in files."""
    kind = _kind(key)
    if kind is None or kind in _KEYS:
        return
    if kind in _PLAIN_KEYS and not key.get("logicalTypeOptions"):
        return
    yield Problem(
        path,
        "odcs.map.key",
        f"Keys of maps are texts in files: they cannot be checked as {kind}"
        f"{' with options' if kind in _PLAIN_KEYS else ''}.",
        "Describe them as a string, with a pattern or an enum; or describe a list of objects.",
    )


def _kind(item: Mapping[str, Any]) -> str | None:
    kind = item.get("logicalType")
    return kind if isinstance(kind, str) else None


def _part_problems(item: Mapping[str, Any], kind: str | None, path: str) -> Iterator[Problem]:
    for part, wanted in _PARTS.items():
        if item.get(part) and kind != wanted:
            yield Problem(
                path,
                "odcs.logicalType",
                f"The property has `{part}` and is no {wanted}: that would not be checked.",
                f"Write `logicalType: {wanted}`, or leave `{part}` out.",
            )


def _temporal_problems(kind: str, options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    layout = options.get("format")
    if isinstance(layout, str) and not ISO_LAYOUT.fullmatch(layout):
        try:
            fields = layout_expression(layout).groupindex
        except UnsupportedLayoutError as error:
            yield Problem(
                f"{path}/format",
                "contract.layout",
                f"Layout {layout!r} cannot be read: {error}.",
                "Use a layout of Java's DateTimeFormatter such as yyyy-MM-dd, dd/MM/yyyy HH:mm or "
                "yyyy-MM-dd'T'HH:mm:ssXXX.",
            )
            return
        if not layout.endswith("'Z'"):  # an offset that is always the same
            yield from _zone_problems(options, layout, has_offset="Z" in fields, path=path)
    read = _reader(kind, layout)
    for name in _LIMITS:
        limit = options.get(name)
        if isinstance(limit, str) and read(limit) is None:
            own = f"in the field's own layout {layout!r}" if layout else f"as a {kind}"
            yield Problem(
                f"{path}/{name}",
                "odcs.bounds",
                f"{name} {limit!r} is not written {own}.",
                "Write the bound as the values of the field are written.",
            )
    yield from _bound_problems(options, read, path)


def _zone_problems(
    options: Mapping[str, Any], layout: str, *, has_offset: bool, path: str
) -> Iterator[Problem]:
    wanted = options.get("timezone")
    if isinstance(wanted, bool) and wanted is not has_offset:
        said = "no offset" if wanted else "an offset"
        yield Problem(
            f"{path}/timezone",
            "odcs.timezone",
            f"timezone is {str(wanted).lower()}, and the layout {layout!r} has {said}.",
            "Correct one of the two; an offset is written XXX, at the end of the layout.",
        )


def _reader(kind: str, layout: object) -> Callable[[Any], Any]:
    """Reads a text as the field's values are read; None for what is none."""
    if isinstance(layout, str) and not ISO_LAYOUT.fullmatch(layout):
        return lambda text: parse(text, layout) if isinstance(text, str) else None

    def read(text: Any) -> Any:
        if not isinstance(text, str) or (text[4:5] == "-") is (kind == "time"):
            return None
        return instant(text, {})

    return read


def _bound_problems(
    options: Mapping[str, Any], read: Callable[[Any], Any], path: str
) -> Iterator[Problem]:
    for low, high in _PAIRS:
        least, most = read(options.get(low)), read(options.get(high))
        if least is None or most is None:
            continue
        is_open = low.startswith("excl") or high.startswith("excl")
        if least > most or (is_open and least == most):
            yield Problem(
                f"{path}/{low}",
                "odcs.bounds",
                f"{low} {options[low]} is {'not below' if is_open else 'above'} {high} "
                f"{options[high]}: no value could pass.",
                "Exchange or correct the two.",
            )


def _flag_problems(options: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if options.get(flag) is True and options.get(bound) is None:
            yield Problem(
                f"{path}/{flag}",
                "odcs.bounds",
                f"{flag} is true, and there is no {bound} for it to be about.",
                f"Write the {bound}.",
            )


def _enum_problems(item: Mapping[str, Any], kind: str | None, path: str) -> Iterator[Problem]:
    given = item.get("logicalTypeOptions")
    layout = given.get("format") if isinstance(given, Mapping) else None
    for index, entry in enumerate(_list(item.get("enum"))):
        value = entry.get("value") if isinstance(entry, Mapping) else None
        if value is not None and not _fits(kind, layout, value):
            yield Problem(
                f"{path}/enum/{index}/value",
                "odcs.enum.type",
                f"The enum value {value!r} is no {kind}: no record could hold it.",
                "Write it as a value of the field's type; in YAML, quotes make a string.",
            )


def _fits(kind: str | None, layout: object, value: object) -> bool:
    if kind is not None and kind in _TEMPORAL:
        try:
            return _reader(kind, layout)(value) is not None
        except UnsupportedLayoutError:
            return True  # that is told of the layout
    if kind == "integer":
        return is_number(value) and (isinstance(value, int) or value.is_integer())
    if kind == "number":
        return is_number(value)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in {"object", "array", "map", "vector"}:
        return False
    return kind != "string" or isinstance(value, str)


def _position_problems(item: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for flag, position in (
        ("primaryKey", "primaryKeyPosition"),
        ("partitioned", "partitionKeyPosition"),
    ):
        place = item.get(position)
        if not item.get(flag) and is_number(place) and place >= 0:
            yield Problem(
                f"{path}/{position}",
                f"odcs.{flag}.position",
                f"The property has a {position} and no `{flag}: true`.",
                f"Write `{flag}: true`, or leave the position out.",
            )


def _name_problems(item: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for key in ("name", "physicalName"):
        name = item.get(key)
        if isinstance(name, str) and (not name.strip() or _is_broken(name)):
            yield Problem(
                f"{path}/{key}",
                "contract.property.name",
                f"{key} {name!r} cannot be what a field is called in files.",
                "Write a name without line breaks and other control characters.",
            )


def _is_broken(name: str) -> bool:
    return any(unicodedata.category(letter) in {"Cc", "Zl", "Zp"} for letter in name)


def _measure_problems(item: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for flag in ("primaryKey", "required") if item.get("semanticType") == "measure" else ():
        if item.get(flag):
            yield Problem(
                f"{path}/{flag}",
                "odcs.measure",
                f"A measure is computed, and no column of a file: it cannot be `{flag}`.",
                f"Leave `{flag}` out; or leave `semanticType` out, if files hold it.",
            )


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
