"""Parameters and annotations of a function, matched with its bindings as the worker does."""

from __future__ import annotations

import inspect
import operator
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.functions_host.bindings import (
    GENERIC,
    Binding,
    Converter,
    converter_for,
    implies_return,
)
from local.process import LocalError


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A parameter of a function, the binding that fills or takes it, and the converter between."""

    binding: Binding
    converter: Converter
    python_type: Any = None


class Signature:
    """The parameters of one function; raises LocalError where the worker would refuse it."""

    def __init__(self, name: str, call: Callable[..., Any], bindings: tuple[Binding, ...]) -> None:
        self._name = name
        self._annotations = self._hints(call)
        parameters = dict(inspect.signature(call).parameters)
        returning = [b for b in bindings if b.name == "$return"]
        implied = [b for b in bindings if b.name != "$return" and implies_return(b.type)]
        bound = {b.name: b for b in bindings if b.name != "$return"}
        self.wants_context = self._take_context(parameters, bound)
        self._check_names(set(parameters), set(bound))
        self.inputs: dict[str, Parameter] = {}
        self.outputs: dict[str, Parameter] = {}
        for parameter in parameters:
            binding = bound[parameter]
            target = self.outputs if binding.is_output else self.inputs
            target[parameter] = self._parameter(binding)
        self.returns = self._returns(returning, implied)

    def _hints(self, call: Callable[..., Any]) -> dict[str, Any]:
        try:
            return typing.get_type_hints(call)
        except Exception as error:  # noqa: BLE001 (annotations are code: anything)
            raise self._refuse(
                f"its annotations cannot be evaluated: {type(error).__name__}: {error}. "
                "Names used in annotations must exist when the app is imported "
                "(not only under TYPE_CHECKING)"
            ) from None

    def _take_context(self, parameters: dict[str, Any], bound: Mapping[str, Binding]) -> bool:
        if "context" not in parameters or "context" in bound:
            return False
        parameters.pop("context")
        hint = self._annotations.get("context")
        if hint is not None and getattr(hint, "__name__", "") != "Context":
            raise self._refuse(
                f"its parameter 'context' must be annotated azure.functions.Context, not {hint!r}"
            )
        return True

    def _check_names(self, parameters: set[str], bound: set[str]) -> None:
        if unbound := sorted(parameters - bound):
            raise self._refuse(
                f"the parameters {unbound} have no binding. Remove them, or declare a binding of "
                "that name with a decorator"
            )
        if missing := sorted(bound - parameters):
            raise self._refuse(
                f"the bindings {missing} have no parameter of that name. Add the parameter, or "
                "correct arg_name in the decorator"
            )

    def _parameter(self, binding: Binding) -> Parameter:
        hint = self._annotations.get(binding.name)
        is_out = _named(hint, "Out")
        python_type = self._inside_out(binding, hint) if is_out else hint
        if hint is not None and binding.is_output != is_out:
            wanted = "func.Out[…]" if binding.is_output else "the type of its trigger or input"
            raise self._refuse(
                f"the parameter '{binding.name}' is annotated {hint!r}; its binding "
                f"'{binding.type}' needs {wanted}"
            )
        if hint is None:
            return Parameter(binding=binding, converter=converter_for(binding.type))
        plain = python_type in (str, bytes) and not implies_return(binding.type)
        converter = GENERIC if plain else converter_for(binding.type)
        check = (
            converter.check_output_type_annotation
            if is_out
            else converter.check_input_type_annotation
        )
        self._check_type(binding, python_type, check)
        return Parameter(binding=binding, converter=converter, python_type=python_type)

    def _inside_out(self, binding: Binding, hint: Any) -> Any:
        inside = typing.get_args(hint)
        if len(inside) != 1:
            raise self._refuse(
                f"the parameter '{binding.name}' is annotated {hint!r}; write func.Out[str] "
                "with one type inside"
            )
        # The library wraps generic types in a tuple: func.Out[typing.List[X]].
        only = inside[0]
        if isinstance(only, tuple):
            return operator.getitem(only[0], *only[1:])
        return only

    def _check_type(self, binding: Binding, python_type: Any, check: Callable[[Any], bool]) -> None:
        try:
            fits = check(python_type)
        except TypeError:
            fits = False
        if not fits:
            raise self._refuse(
                f"the parameter '{binding.name}' is annotated {python_type!r}, which the binding "
                f"'{binding.type}' cannot give or take; see the binding's reference for its types"
            )

    def _returns(self, explicit: list[Binding], implied: list[Binding]) -> Parameter | None:
        if not explicit and not implied:
            return None
        binding = (explicit or implied)[-1]
        hint = self._annotations.get("return")
        if explicit and hint is not None:
            if not isinstance(hint, type):
                raise self._refuse(f"its return annotation {hint!r} is no plain type")
            self._check_type(
                binding, hint, converter_for(binding.type).check_output_type_annotation
            )
        return Parameter(binding=binding, converter=converter_for(binding.type), python_type=hint)

    def _refuse(self, why: str) -> LocalError:
        return LocalError(f"Function '{self._name}': {why}.")


def _named(hint: Any, name: str) -> bool:
    origin = typing.get_origin(hint) or hint
    return isinstance(origin, type) and origin.__name__ == name
