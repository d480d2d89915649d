"""Route templates of HTTP functions: ASP.NET's syntax, with constraints and optional parts.

`products/{domain}/{version:int?}` · `files/{*path}` · `{id:guid}` · `{name=default}`. Literals
match whatever their case; of several templates that match, the most literal wins.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from local.process import LocalError

_PARAMETER = re.compile(
    r"\{(?P<catch_all>\*{0,2})(?P<name>[^:=?}]+)(?P<constraints>(?::[^}=]+?(?:\(.*?\))?)*)"
    r"(?:=(?P<default>[^}?]*))?(?P<optional>\?)?\}"
)
_CONSTRAINT = re.compile(r":(?P<name>[A-Za-z]+)(?:\((?P<arguments>.*?)\)(?=:|$))?")


def _bounds(arguments: str) -> tuple[float, float]:
    low, _, high = arguments.partition(",")
    return float(low), float(high or low)


def _number(value: str, low: float, high: float) -> bool:
    return bool(re.fullmatch(r"[+-]?\d+", value)) and low <= int(value) <= high


def _decimal(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _guid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def _datetime(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_INFINITE = float("inf")
_CHECKS: Mapping[str, Callable[[str, str], bool]] = {
    "int": lambda value, _: _number(value, -(2**31), 2**31 - 1),
    "long": lambda value, _: _number(value, -(2**63), 2**63 - 1),
    "bool": lambda value, _: value.lower() in ("true", "false"),
    "datetime": lambda value, _: _datetime(value),
    "decimal": lambda value, _: _decimal(value),
    "double": lambda value, _: _decimal(value),
    "float": lambda value, _: _decimal(value),
    "guid": lambda value, _: _guid(value),
    "alpha": lambda value, _: bool(re.fullmatch(r"[A-Za-z]*", value)),
    "required": lambda value, _: bool(value),
    "minlength": lambda value, wanted: len(value) >= int(wanted),
    "maxlength": lambda value, wanted: len(value) <= int(wanted),
    "length": lambda value, wanted: _bounds(wanted)[0] <= len(value) <= _bounds(wanted)[1],
    "min": lambda value, wanted: _number(value, float(wanted), _INFINITE),
    "max": lambda value, wanted: _number(value, -_INFINITE, float(wanted)),
    "range": lambda value, wanted: _number(value, *_bounds(wanted)),
    "regex": lambda value, wanted: bool(re.search(wanted, value, re.IGNORECASE)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A compiled template; `rank` sorts the more specific first."""

    template: str
    pattern: re.Pattern[str]
    checks: tuple[tuple[str, str, str], ...]
    defaults: Mapping[str, str]
    rank: tuple[int, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """Match a raw (percent-encoded) path without leading slash; values come back decoded."""
        found = self.pattern.fullmatch(path)
        if not found:
            return None
        values = dict(self.defaults)
        for group, raw in found.groupdict().items():
            if raw:
                values[bytes.fromhex(group[1:]).decode()] = _decode(raw)
        for name, check, arguments in self.checks:
            if name in values and not _CHECKS[check](values[name], arguments):
                return None
        return values


def compile_route(prefix: str, template: str, function: str) -> Route:
    """Compile a template below a route prefix.

    Raises:
        LocalError: it is malformed or uses an unknown constraint.
    """
    whole = "/".join(part for part in (prefix, template.strip("/")) if part)
    builder = _Builder(whole, function)
    for segment in whole.split("/") if whole else []:
        builder.add(segment)
    return builder.route()


class _Builder:
    """Turns segments into one regular expression."""

    def __init__(self, template: str, function: str) -> None:
        self._template = template
        self._function = function
        self._expression = ""
        self._checks: list[tuple[str, str, str]] = []
        self._defaults: dict[str, str] = {}
        self._rank: list[int] = []
        self._names: set[str] = set()

    def add(self, segment: str) -> None:
        parameters = list(_PARAMETER.finditer(segment))
        slash = "/" if self._expression else ""
        if not parameters:
            if "{" in segment or "}" in segment:
                raise self._refuse(f"'{segment}' has a brace without its partner")
            self._expression += slash + _literal(segment)
            self._rank.append(0)
            return
        whole = len(parameters) == 1 and parameters[0].group() == segment
        if whole:
            self._add_parameter(parameters[0], slash)
        else:
            self._add_mixed(segment, parameters, slash)

    def _add_parameter(self, parameter: re.Match[str], slash: str) -> None:
        group, constraints = self._declare(parameter)
        if parameter["catch_all"]:
            self._expression += f"(?:{slash}(?P<{group}>.*))?"
            self._rank.append(4)
            return
        if parameter["optional"] or parameter["default"] is not None:
            self._expression += f"(?:{slash}(?P<{group}>[^/]*))?"
            self._rank.append(3)
            return
        self._expression += f"{slash}(?P<{group}>[^/]+)"
        self._rank.append(1 if constraints else 2)

    def _add_mixed(self, segment: str, parameters: list[re.Match[str]], slash: str) -> None:
        expression, at = "", 0
        for parameter in parameters:
            group, _ = self._declare(parameter)
            expression += _literal(segment[at : parameter.start()]) + f"(?P<{group}>[^/]+?)"
            at = parameter.end()
        self._expression += slash + expression + _literal(segment[at:])
        self._rank.append(1)

    def _declare(self, parameter: re.Match[str]) -> tuple[str, int]:
        name = parameter["name"].strip()
        if name in self._names:
            raise self._refuse(f"'{name}' appears twice")
        self._names.add(name)
        if parameter["default"] is not None:
            self._defaults[name] = parameter["default"]
        constraints = list(_CONSTRAINT.finditer(parameter["constraints"]))
        if "".join(c.group() for c in constraints) != parameter["constraints"]:
            raise self._refuse(f"the constraints '{parameter['constraints']}' cannot be read")
        for constraint in constraints:
            check, arguments = constraint["name"].lower(), constraint["arguments"] or ""
            self._try(check, arguments)
            self._checks.append((name, check, arguments))
        return f"_{name.encode().hex()}", len(constraints)  # names may hold what groups may not

    def _try(self, check: str, arguments: str) -> None:
        if check not in _CHECKS:
            raise self._refuse(f"unknown constraint '{check}'; known: {', '.join(sorted(_CHECKS))}")
        try:
            _CHECKS[check]("1", arguments)
        except (ValueError, re.error):
            raise self._refuse(f"the constraint '{check}({arguments})' cannot be read") from None

    def _refuse(self, why: str) -> LocalError:
        return LocalError(f"Function '{self._function}', route '{self._template}': {why}.")

    def route(self) -> Route:
        return Route(
            template=self._template,
            pattern=re.compile(self._expression, re.IGNORECASE),
            checks=tuple(self._checks),
            defaults=self._defaults,
            rank=tuple(self._rank),
        )


def _literal(text: str) -> str:
    return re.escape(text)


def _decode(raw: str) -> str:
    """Decode `%xx`, but leave `%2F`: an encoded slash separates nothing and stays as it came."""
    return "%2F".join(unquote(part) for part in re.split("%2F", raw, flags=re.IGNORECASE))
