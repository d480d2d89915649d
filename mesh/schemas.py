"""The JSON Schemas of what goes in and out, one file per version in `schemas/`."""

from __future__ import annotations

import copy
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from mesh.errors import Rejected
from mesh.model.events import EVENT_TYPES
from mesh.model.findings import Finding
from mesh.model.pointers import pointer_of

FOLDER = Path(__file__).parents[1] / "schemas"
"""At the app's root, beside `host.json`."""

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Of a request's body: a declaration with its contracts is the largest there is."""


@cache
def load(name: str) -> dict[str, Any]:
    """A schema by its path in `schemas/`, without `.json`: `requests/subscription.v1`."""
    data: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return data


@cache
def openapi() -> dict[str, Any]:
    """The description of the HTTP API, with the schemas that stand in files of their own put in."""
    described = copy.deepcopy(load("openapi"))
    components = {
        "OnboardingRequest": load("requests/onboarding.v1"),
        "ApprovalRequest": load("requests/approval.v1"),
        "TemplateRequest": load("requests/template.v1"),
        "SubscriptionRequest": load("requests/subscription.v1"),
        "PreviewRequest": load("requests/preview.v1"),
        "SuspensionRequest": load("requests/suspension.v1"),
        "ResumptionRequest": load("requests/resumption.v1"),
        "ReplayRequest": load("requests/replay.v1"),
        "ResubmissionRequest": load("requests/resubmission.v1"),
        "DiscardRequest": load("requests/discard.v1"),
        "AgreementRequest": load("requests/agreement.v1"),
        "DecisionRequest": load("requests/decision.v1"),
        "AcknowledgementRequest": load("requests/acknowledgement.v1"),
        "Receipt": load("receipts/v1"),
        **{name: load(f"events/{name}") for name in EVENT_TYPES},
    }
    described["components"]["schemas"] |= {
        name: _component(name, schema) for name, schema in components.items()
    }
    described["components"]["schemas"]["Event"] = {
        "title": "A CloudEvent of the mesh; its type says which",
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in EVENT_TYPES],
    }
    return described


def _component(name: str, schema: dict[str, Any]) -> Any:
    """A schema as a component of the API's description: references lead through that document."""

    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(item) for item in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            return {**value, "$ref": f"#/components/schemas/{name}{reference.removeprefix('#')}"}
        return {key: moved(member) for key, member in value.items()}

    return moved({key: member for key, member in schema.items() if key not in {"$id", "$schema"}})


def parse(body: bytes, name: str) -> Any:
    """The JSON of a request's body, which is as the schema `name` says.

    Raises:
        Rejected: it is too large, no JSON, or not as the schema says; all findings are given.
    """
    data = read(body)
    found = findings(data, name)
    if found:
        message = f"The body has {len(found)} fault(s). First: {found[0].message}"
        raise Rejected(message, problem="invalid-body", status=422, findings=found)
    return data


def read(body: bytes) -> Any:
    """The JSON of a request's body, whatever it says.

    Raises:
        Rejected: it is too large, or no JSON.
    """
    if len(body) > MAX_REQUEST_BYTES:
        message = f"The body has {len(body)} bytes; at most {MAX_REQUEST_BYTES} are taken."
        raise Rejected(message, problem="body-too-large", status=413)
    try:
        data = json.loads(body, parse_constant=_no_number, parse_float=_number)
        json.dumps(data, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as wrong:
        message = f"The body is no JSON: {wrong}."
        raise Rejected(message, problem="invalid-json") from None
    return data


def _no_number(text: str) -> None:
    message = f"{text} is not a number of JSON"
    raise ValueError(message)


def _number(text: str) -> int | float:
    """A number with a point or an exponent; JSON Schema takes `1.0` for the integer that it is."""
    number = float(text)
    if math.isinf(number):
        _no_number(text)
    return int(number) if number.is_integer() else number


def findings(data: object, name: str) -> tuple[Finding, ...]:
    """All that speaks against `data` by the schema `name`."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(load(name), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return tuple(
        Finding(
            file="",
            path=pointer_of(error.absolute_path),
            rule=f"body.{error.validator}",
            message=error.message if len(error.message) <= 300 else f"{error.message[:300]}…",
            remedy="See the request's schema in /api/openapi.json.",
        )
        for error in sorted(validator.iter_errors(data), key=lambda error: error.json_path)
    )
