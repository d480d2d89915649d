"""Indexing: import `function_app.py`, ask the app once for its functions, check each of them.

The checks are those of the worker: what it would refuse in Azure is refused here, with the name
of the function and what to do.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from azure.functions import FunctionRegister

from local.functions_host.bindings import INPUTS, OUTPUTS, TRIGGERS, Binding
from local.functions_host.retries import RetryPolicy
from local.functions_host.settings import find_connection
from local.functions_host.signatures import Parameter, Signature
from local.process import LocalError

if TYPE_CHECKING:
    from azure.functions.decorators.function_app import Function

_NEED_CONNECTION = {
    "serviceBusTrigger",
    "serviceBus",
    "queueTrigger",
    "queue",
    "blobTrigger",
    "blob",
} | {"table"}
_SCRIPT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedFunction:
    """A function that passed every check of the worker.

    `inputs` includes the trigger's parameter; `outputs` are the `func.Out` parameters; `returns`
    is what takes the returned value.
    """

    name: str
    call: Callable[..., Any]
    is_async: bool
    directory: Path
    script_file: str
    trigger: Binding
    bindings: tuple[Binding, ...]
    inputs: Mapping[str, Parameter]
    outputs: Mapping[str, Parameter]
    returns: Parameter | None
    wants_context: bool
    retry: RetryPolicy | None
    disabled: bool


def index_app(app: Path, environ: Mapping[str, str]) -> list[IndexedFunction]:
    """Import the app of a folder and index its functions, as the worker does when it starts.

    Raises:
        LocalError: the app cannot be imported, or a function of it is wrong. As in Azure, one
            wrong function means that none is served.
    """
    script = environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    if not _SCRIPT_NAME.fullmatch(script):
        raise LocalError(
            f"PYTHON_SCRIPT_FILE_NAME '{script}' is no name of a .py file; correct it."
        )
    if not (app / script).is_file():
        raise LocalError(
            f"{app}: has no {script}, where a v2-model app declares its functions. "
            "Give the app's folder with --app."
        )
    module = _import_app(app, script)
    declared = _ask_for_functions(_find_app(module, script), script)
    functions = [_index_function(function, environ) for function in declared]
    if not functions:
        raise LocalError(
            f"{app / script}: declares no function; decorate one, for example @app.route."
        )
    return functions


def _import_app(app: Path, script: str) -> ModuleType:
    for folder in (app / ".python_packages" / "lib" / "site-packages", app):
        if folder.is_dir() and str(folder) not in sys.path[:1]:
            sys.path.insert(0, str(folder))
    os.chdir(app)
    try:
        return importlib.import_module(Path(script).stem)
    except Exception as error:
        raise LocalError(_import_message(app / script, error)) from error


def _import_message(script: Path, error: Exception) -> str:
    if isinstance(error, SyntaxError):  # it says itself where it is
        return f"{script}: cannot be imported: {error}. Correct it; Azure would serve no function."
    frames = inspect.getinnerframes(error.__traceback__) if error.__traceback__ else []
    own = [f for f in frames if Path(f.filename).is_relative_to(script.parent)] or frames
    where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    advice = (
        "Install it into the environment that runs this host, or correct requirements.txt."
        if isinstance(error, ModuleNotFoundError)
        else "Correct it; Azure would serve no function of this app."
    )
    return f"{script}: cannot be imported: {type(error).__name__}: {error}{where}. {advice}"


def _find_app(module: ModuleType, script: str) -> FunctionRegister:
    found = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if not found:
        raise LocalError(f"{script}: has no top-level function app; add app = func.FunctionApp().")
    if len(found) > 1:
        raise LocalError(
            f"{script}: has {len(found)} top-level function apps, and the worker takes one. "
            "Turn the others into blueprints (func.Blueprint) and register them."
        )
    return found[0]


def _ask_for_functions(app: FunctionRegister, script: str) -> list[Function]:
    """Call `get_functions`: once, because a second call finds every name taken."""
    try:
        return list(app.get_functions())
    except ValueError as refused:
        raise LocalError(f"{script}: {refused}") from None


def _index_function(function: Function, environ: Mapping[str, str]) -> IndexedFunction:
    name = str(function.get_function_name())
    bindings = tuple(Binding.from_raw(raw, environ, name) for raw in function.get_raw_bindings())
    declared_trigger = function.get_trigger()
    assert declared_trigger is not None  # the library refuses a function without one
    trigger = next(b for b in bindings if b.name == declared_trigger.name)
    _check_kinds(name, bindings, trigger, environ)
    call = function.get_user_function()
    signature = Signature(name, call, bindings)
    retry = function.get_settings_dict("retry_policy")
    return IndexedFunction(
        name=name,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        directory=Path(inspect.getfile(call)).parent,
        script_file=function.function_script_file,
        trigger=trigger,
        bindings=bindings,
        inputs=signature.inputs,
        outputs=signature.outputs,
        returns=signature.returns,
        wants_context=signature.wants_context,
        retry=RetryPolicy.from_settings(retry, name) if retry else None,
        disabled=environ.get(f"AzureWebJobs.{name}.Disabled", "").lower() in ("1", "true"),
    )


def _check_kinds(
    name: str, bindings: tuple[Binding, ...], trigger: Binding, environ: Mapping[str, str]
) -> None:
    if trigger.type not in TRIGGERS:
        raise LocalError(
            f"Function '{name}': this host has no trigger '{trigger.type}'. "
            f"It runs {', '.join(sorted(TRIGGERS))}; disable the function or run it in Azure."
        )
    for binding in bindings:
        known = OUTPUTS if binding.is_output else INPUTS
        if binding is not trigger and binding.type not in known:
            direction = "output" if binding.is_output else "input"
            raise LocalError(
                f"Function '{name}': this host has no {direction} binding '{binding.type}' "
                f"(parameter '{binding.name}'). It has {', '.join(sorted(known))}."
            )
        if binding.type in _NEED_CONNECTION:
            find_connection(binding.connection, environ, f"Function '{name}'")
