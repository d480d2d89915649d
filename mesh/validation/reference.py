"""The reference for every verdict: `jsonschema`, made exact.

Numbers are `int` and `Decimal`, never binary floats, so that 19.99 is a multiple of 0.01;
patterns are ECMA-262; formats are asserted; and the few keywords that `mesh.model.contract_schema`
adds are known. Importing this module costs what importing `jsonschema` costs: do it late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend, validator_for

from mesh.model.ecma_pattern import UnsupportedPatternError, compile_pattern
from mesh.model.instants import instant, is_local_time, is_local_timestamp
from mesh.model.jdk_dates import UnsupportedLayoutError, parse
from mesh.validation.exact import exact

Errors = Iterator[ValidationError]


def record_validator(schema: Mapping[str, Any]) -> Any:
    """A validator of the schema's own draft (2020-12 when it names none)."""
    return _validator_class(schema)(exact(schema), format_checker=_formats(schema))


def subschema_validator(schema: Any, root: Mapping[str, Any]) -> Any:
    """A validator of a part of a schema, whose references are those of the whole."""
    whole = record_validator(root)
    return whole.evolve(schema=exact(schema))


def _validator_class(schema: Mapping[str, Any]) -> Any:
    base = validator_for(schema, default=jsonschema.Draft202012Validator)
    checker = base.TYPE_CHECKER.redefine("number", _is_number).redefine("integer", _is_integer)
    keywords: dict[str, Callable[..., Errors]] = {
        "multipleOf": _multiple_of,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "required": _required,
        "additionalProperties": _additional_properties,
        "dateTimeFormat": _date_time_format,
        "formatMinimum": _bound(lambda value, limit: value >= limit),
        "formatMaximum": _bound(lambda value, limit: value <= limit),
        "formatExclusiveMinimum": _bound(lambda value, limit: value > limit),
        "formatExclusiveMaximum": _bound(lambda value, limit: value < limit),
    }
    # Its stubs leave `extend` without types.
    return extend(base, validators=keywords, type_checker=checker)  # type: ignore[no-untyped-call]


def _formats(schema: Mapping[str, Any]) -> jsonschema.FormatChecker:
    base = validator_for(schema, default=jsonschema.Draft202012Validator).FORMAT_CHECKER
    checker = jsonschema.FormatChecker(formats=())
    checker.checkers = {name: (_calm(func), ()) for name, (func, _) in base.checkers.items()}
    checker.checkers["local-date-time"] = (is_local_timestamp, ())
    checker.checkers["local-time"] = (is_local_time, ())
    return checker


def _calm(func: Callable[[object], bool]) -> Callable[[object], bool]:
    """A format function for which any exception means no: some libraries raise their own."""

    def check(value: object) -> bool:
        try:
            return bool(func(value))
        except Exception:  # noqa: BLE001 - whatever a format library raises, the value is not one
            return False

    return check


def _is_number(_: object, value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_integer(_: object, value: object) -> bool:
    if isinstance(value, Decimal):
        return is_multiple(value, Decimal(1))
    return isinstance(value, int) and not isinstance(value, bool)


def is_multiple(value: Decimal | int, divisor: Decimal | int) -> bool:
    """Whether value / divisor is whole, in exact arithmetic and whatever the exponents.

    `Decimal % Decimal` raises once the quotient exceeds the context's precision, and expanding
    1e999999999 to digits would eat the memory.
    """
    number, unit = Decimal(value), Decimal(divisor)
    if not number.is_finite():
        return False
    _, digits, exponent = number.as_tuple()
    _, unit_digits, unit_exponent = unit.as_tuple()
    assert isinstance(exponent, int)
    assert isinstance(unit_exponent, int)
    coefficient, unit_coefficient = _whole(digits), _whole(unit_digits)
    if coefficient == 0:
        return True
    shift = exponent - unit_exponent
    if shift >= 0:
        return coefficient * pow(10, shift, unit_coefficient) % unit_coefficient == 0
    if -shift > len(digits):
        return False
    return bool(coefficient % (unit_coefficient * 10**-shift) == 0)


def _whole(digits: tuple[int, ...]) -> int:
    number = 0
    for start in range(0, len(digits), 4000):
        part = digits[start : start + 4000]
        number = number * 10 ** len(part) + int("".join(map(str, part)))
    return number


def _multiple_of(validator: Any, divisor: Any, instance: Any, _: Any) -> Errors:
    if validator.is_type(instance, "number") and not is_multiple(instance, divisor):
        yield ValidationError(f"{instance} is not a multiple of {divisor}")


def _pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Errors:
    if validator.is_type(instance, "string") and not _matches(pattern, instance):
        yield ValidationError(f"does not match {pattern!r}")


def _matches(pattern: str, text: str) -> bool:
    try:
        return compile_pattern(pattern).search(text) is not None
    except UnsupportedPatternError:
        return False


def _pattern_properties(validator: Any, patterns: Any, instance: Any, _: Any) -> Errors:
    if not validator.is_type(instance, "object"):
        return
    for pattern, schema in patterns.items():
        for name, value in instance.items():
            if _matches(pattern, name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _required(validator: Any, required: Any, instance: Any, _: Any) -> Errors:
    if not validator.is_type(instance, "object"):
        return
    for name in required:
        if name not in instance:
            yield ValidationError("is required", path=[name])


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Errors:
    if not validator.is_type(instance, "object"):
        return
    known = schema.get("properties") or {}
    patterns = schema.get("patternProperties") or ()
    for name, value in instance.items():
        if name in known or any(_matches(pattern, name) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError("is not a field of the contract", path=[name])
        else:
            yield from validator.descend(value, allowed, path=name)


def _date_time_format(validator: Any, layout: str, instance: Any, _: Any) -> Errors:
    if not validator.is_type(instance, "string"):
        return
    try:
        fits = parse(instance, layout) is not None
    except UnsupportedLayoutError:
        fits = False
    if not fits:
        yield ValidationError(f"is not written as {layout}")


def _bound(holds: Callable[[Any, Any], bool]) -> Callable[..., Errors]:
    def check(validator: Any, limit: str, instance: Any, schema: Any) -> Errors:
        if not validator.is_type(instance, "string"):
            return
        value, bound = instant(instance, schema), instant(limit, schema)
        if value is not None and bound is not None and not holds(value, bound):
            yield ValidationError(f"is beyond {limit}")

    return check
