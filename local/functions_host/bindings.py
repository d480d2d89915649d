"""What a binding is, and which converter of `azure.functions` decodes or encodes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast

from azure.functions import get_binding_registry
from azure.functions.meta import Datum
from azure.functions.servicebus import ServiceBusMessageInConverter

from local.functions_host.settings import resolve

TRIGGERS = {
    "serviceBusTrigger",
    "httpTrigger",
    "timerTrigger",
    "eventGridTrigger",
    "queueTrigger",
    "blobTrigger",
}
"""Trigger types this host runs."""

OUTPUTS = {"serviceBus", "queue", "blob", "table", "eventGrid", "http"}
"""Output binding types this host writes."""

INPUTS = {"blob", "table"}
"""Input binding types this host reads."""

_LONGEST_ISO = len("2026-01-02T03:04:05.678901+00:00")
_NOT_RESOLVED = {"name", "type", "direction", "dataType", "methods", "authLevel", "route"}


class Converter(Protocol):
    """The part of the converters of `azure.functions` that the worker calls."""

    def check_input_type_annotation(self, pytype: type) -> bool: ...
    def check_output_type_annotation(self, pytype: type) -> bool: ...
    def has_trigger_support(self) -> bool: ...
    def decode(self, data: Datum | None, *, trigger_metadata: Mapping[str, Datum]) -> Any: ...
    def encode(self, obj: Any, *, expected_type: type | None) -> Datum | None: ...


class GenericConverter:
    """What the worker uses for `str` and `bytes` parameters and for bindings unknown to it."""

    def check_input_type_annotation(self, pytype: type) -> bool:
        return issubclass(pytype, (str, bytes))

    def check_output_type_annotation(self, pytype: type) -> bool:
        return issubclass(pytype, (str, bytes, bytearray))

    def has_trigger_support(self) -> bool:
        return False

    def decode(self, data: Datum | None, *, trigger_metadata: Mapping[str, Datum]) -> Any:  # noqa: ARG002 (the converters' signature)
        if data is None or data.type is None:
            return None
        if data.type in ("string", "bytes", "json"):
            return data.value
        raise ValueError(f"a str or bytes parameter cannot take data of the kind '{data.type}'")

    def encode(self, obj: Any, *, expected_type: type | None) -> Datum | None:  # noqa: ARG002 (the converters' signature)
        if obj is None:
            return Datum(type=None, value=None)
        if isinstance(obj, str):
            return Datum(type="string", value=obj)
        if isinstance(obj, (bytes, bytearray)):
            return Datum(type="bytes", value=bytes(obj))
        if isinstance(obj, (dict, list)):
            return Datum(type="json", value=json.dumps(obj))
        if isinstance(obj, int):
            return Datum(type="int", value=obj)
        if isinstance(obj, float):
            return Datum(type="double", value=obj)
        raise NotImplementedError


GENERIC = GenericConverter()


class QuickServiceBusConverter(ServiceBusMessageInConverter, binding=None, trigger=True):
    """The library's converter; reads our ISO times at once, not by trying 14 formats each.

    That trying takes 0.4 ms a message, more than all else that a message costs the host.
    """

    @classmethod
    def _parse_datetime(cls, datetime_str: str | None) -> datetime | None:
        if datetime_str and len(datetime_str) <= _LONGEST_ISO:
            try:
                return datetime.fromisoformat(datetime_str)
            except ValueError:
                pass
        return super()._parse_datetime(datetime_str)


def converter_for(kind: str) -> Converter:
    """Return the converter that the library registers for a binding type, else the generic."""
    if kind == "serviceBusTrigger":
        return cast("Converter", QuickServiceBusConverter)
    registered: Converter | None = get_binding_registry().get(kind)
    return registered or GENERIC


def implies_return(kind: str) -> bool:
    """Tell whether a binding of this type takes the function's return value without `$return`."""
    converter = converter_for(kind)
    if converter is GENERIC:
        return kind != "durableClient"
    return bool(getattr(converter, "has_implicit_output", lambda: False)())


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """One binding as its decorator declared it, `%SETTING%`s resolved.

    `values` holds the rest of what `function.json` would hold, under its camelCase names.
    """

    name: str
    type: str
    is_output: bool
    data_type: str | None
    values: Mapping[str, Any]

    @classmethod
    def from_raw(cls, raw: str, environ: Mapping[str, str], function: str) -> Binding:
        """Read one entry of `Function.get_raw_bindings()`.

        Raises:
            LocalError: a `%SETTING%` of it does not resolve.
        """
        fields: dict[str, Any] = json.loads(raw)
        values = {
            key: resolve(
                value, environ, f"Function '{function}', binding '{fields['name']}' ({key})"
            )
            if isinstance(value, str) and key not in _NOT_RESOLVED
            else value
            for key, value in fields.items()
        }
        data_type = values.get("dataType")
        return cls(
            name=values.pop("name"),
            type=values.pop("type"),
            is_output=values.pop("direction") == "OUT",
            data_type=None if data_type in (None, "UNDEFINED") else data_type,
            values=values,
        )

    @property
    def is_binary(self) -> bool:
        return self.data_type == "BINARY"

    @property
    def connection(self) -> str:
        """Name of the connection; the host's default where the decorator gave none."""
        default = (
            "AzureWebJobsServiceBus"
            if self.type.startswith("serviceBus")
            else "AzureWebJobsStorage"
        )
        return str(self.values.get("connection") or default)

    def text(self, key: str, default: str = "") -> str:
        return str(self.values.get(key) or default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Read a boolean; decorators also accept the strings of `function.json`."""
        value = self.values.get(key, default)
        return value.lower() == "true" if isinstance(value, str) else bool(value)
