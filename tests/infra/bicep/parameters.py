"""Parameters and outputs of a file, and the types that it declares for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.infra.bicep.tree import BicepError, Declaration, File, Node, Place
from tests.infra.bicep.values import RuntimeObject, kind_of

_PRIMITIVE = {"string", "int", "bool", "object", "array"}
_LIMITS = {"minValue", "maxValue", "minLength", "maxLength"}

Types = Mapping[str, object]


def parameters_of(file: File) -> dict[str, bool]:
    """The parameters, and whether each has to be given."""
    return {
        declared.name: not declared.has_body and not _may_be_null(declared.target)
        for declared in file.of("parameter")
    }


def check_given(file: File, given: Mapping[str, Node], declared: Declaration) -> None:
    """Hold what a module is given to the parameters of its file.

    Raises:
        BicepError: one is missing, or there is no such.
    """
    wanted = parameters_of(file)
    for name in given:
        if name not in wanted:
            text = f"{file.path.name} has no parameter {name}"
            raise BicepError("parameter", text, given[name].place)
    for name, is_required in wanted.items():
        if is_required and name not in given:
            text = f"{file.path.name} needs the parameter {name}"
            raise BicepError("parameter", text, declared.place)


def check_parameter(declared: Declaration, value: Any, types: Types) -> None:
    """Hold a value to a parameter's type and decorators.

    Raises:
        BicepError: it does not fit.
    """
    name, place = declared.name, declared.place
    check_type(declared.target, value, types, name, place)
    size = len(value) if isinstance(value, str | list | dict) else value
    for decorator, arguments in declared.decorators:
        if decorator == "allowed":
            allowed = [part.value for part in arguments[0].parts]
            if value not in allowed:
                raise BicepError("parameter", f"{name} is {value!r}, not of {allowed}", place)
        elif decorator in _LIMITS:
            limit = arguments[0].value
            assert isinstance(limit, int)
            if (size < limit) if decorator.startswith("min") else (size > limit):
                raise BicepError("parameter", f"{name} is {value!r}: {decorator} {limit}", place)


def check_type(wanted: object, value: Any, types: Types, at: str, place: Place) -> None:
    """Hold a value to a declared type.

    Raises:
        BicepError: it is of another type; also when the type is not declared.
    """
    if isinstance(value, RuntimeObject):
        return
    if isinstance(wanted, tuple):
        _check_choice(wanted, value, types, at, place)
    elif isinstance(wanted, list):
        if not isinstance(value, list):
            raise BicepError("parameter", f"{at} is {kind_of(value)}, not array", place)
        for number, item in enumerate(value):
            check_type(wanted[0], item, types, f"{at}[{number}]", place)
    elif isinstance(wanted, dict):
        _check_members(wanted, value, types, at, place)
    elif wanted in _PRIMITIVE:
        if kind_of(value) != wanted:
            raise BicepError("parameter", f"{at} is {kind_of(value)}, not {wanted}", place)
    elif str(wanted) in types:
        check_type(types[str(wanted)], value, types, at, place)
    else:
        raise BicepError("name", f"{wanted} is no declared type", place)


def _check_choice(wanted: tuple[Any, ...], value: Any, types: Types, at: str, place: Place) -> None:
    how, inner = wanted
    if how == "union":
        if value not in inner:
            raise BicepError("parameter", f"{at} is {value!r}, not of {inner}", place)
    elif value is not None:
        check_type(inner, value, types, at, place)


def _check_members(
    wanted: Mapping[str, Any], value: Any, types: Types, at: str, place: Place
) -> None:
    if not isinstance(value, dict):
        raise BicepError("parameter", f"{at} is {kind_of(value)}, not object", place)
    for name in value:
        if name not in wanted:
            raise BicepError("parameter", f"{at} has no {name}", place)
    for name, inner in wanted.items():
        if name in value:
            check_type(inner, value[name], types, f"{at}.{name}", place)
        elif not _may_be_null(inner):
            raise BicepError("parameter", f"{at}.{name} is missing", place)


def _may_be_null(wanted: object) -> bool:
    return isinstance(wanted, tuple) and wanted[0] == "null"
