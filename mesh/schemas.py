"""The JSON Schemas of what goes in and out, one file per version in `schemas/`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from mesh.errors import Rejected
from mesh.model.findings import Finding

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
    """The description of the HTTP API, with the schemas of its requests put in their places."""
    described = load("openapi")
    described["components"]["schemas"] |= {
        "Onboarding_request": load("requests/onboarding.v1"),
        "Approval_request": load("requests/approval.v1"),
        "Subscription_request": load("requests/subscription.v1"),
    }
    return described


def parse(body: bytes, name: str) -> Any:
    """The JSON of a request's body, which is as the schema `name` says.

    Raises:
        Rejected: it is too large, no JSON, or not as the schema says; all findings are given.
    """
    if len(body) > MAX_REQUEST_BYTES:
        message = f"The body has {len(body)} bytes; at most {MAX_REQUEST_BYTES} are taken."
        raise Rejected(message, problem="body-too-large", status=413)
    try:
        data = json.loads(body)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as wrong:
        message = f"The body is no JSON: {wrong}."
        raise Rejected(message, problem="invalid-json") from None
    findings = _findings(data, name)
    if findings:
        message = f"The body has {len(findings)} fault(s). First: {findings[0].message}"
        raise Rejected(message, problem="invalid-body", status=422, findings=findings)
    return data


def _findings(data: object, name: str) -> tuple[Finding, ...]:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(load(name), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return tuple(
        Finding(
            file="",
            path="".join(f"/{part}" for part in error.absolute_path),
            rule=f"body.{error.validator}",
            message=error.message if len(error.message) <= 300 else f"{error.message[:300]}…",
            remedy="See the request's schema in /api/openapi.json.",
        )
        for error in sorted(validator.iter_errors(data), key=lambda found: found.json_path)
    )
