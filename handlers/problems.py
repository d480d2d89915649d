"""Answers of the HTTP API: JSON, and problem+json (RFC 9457) for what was refused."""

import asyncio
import functools
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import azure.functions as func

from handlers.callers import Visit
from mesh.errors import MeshError, Rejected, TooMany

PROBLEMS = "urn:mesh:problems:"
"""With a slug, the `type` of a problem; `docs/problems.md` lists them."""

_log = logging.getLogger(__name__)


def answer(data: object, *, status: int = 200, location: str | None = None) -> func.HttpResponse:
    """A JSON answer."""
    headers = {} if location is None else {"Location": location}
    return func.HttpResponse(
        json.dumps(data, ensure_ascii=False),
        status_code=status,
        headers=headers,
        mimetype="application/json",
    )


def secret(data: object) -> func.HttpResponse:
    """A JSON answer that nobody on the way may keep."""
    told = answer(data)
    told.headers["Cache-Control"] = "no-store"
    return told


def problem(refusal: Rejected) -> func.HttpResponse:
    """The answer to a call that was refused."""
    findings = [asdict(finding) for finding in refusal.findings]
    headers = {"Retry-After": str(refusal.after)} if isinstance(refusal, TooMany) else None
    more = {"findings": findings} if findings else {}
    return _problem(refusal.problem, str(refusal), refusal.status, more, headers)


def answers(
    handle: Callable[[func.HttpRequest], func.HttpResponse],
) -> Callable[[func.HttpRequest], func.HttpResponse]:
    """Let in who may call a handler, and let it raise.

    Its name is that of its operation, whose rule (`mesh.model.entitlement`) is asked first;
    what it decides, and whom it refuses, goes on record (`mesh.audit`).
    `Rejected` becomes its problem, `Unavailable` 503 with Retry-After.
    """

    @functools.wraps(handle)
    def wrapped(req: func.HttpRequest) -> func.HttpResponse:
        visit = Visit(req, handle.__name__)
        try:
            visit.begin()
            answered = handle(req)
            visit.done()
        except MeshError as failure:
            return _told(req, visit.ended(failure))
        return answered

    return wrapped


def answers_later(
    handle: Callable[[func.HttpRequest], Awaitable[func.HttpResponse]],
) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    """The same for a handler that waits for something without holding a thread."""

    @functools.wraps(handle)
    async def wrapped(req: func.HttpRequest) -> func.HttpResponse:
        visit = Visit(req, handle.__name__)
        try:
            await asyncio.to_thread(visit.begin)
            answered = await handle(req)
            await asyncio.to_thread(visit.done)
        except MeshError as failure:
            return _told(req, await asyncio.to_thread(visit.ended, failure))
        return answered

    return wrapped


def _told(req: func.HttpRequest, failure: MeshError) -> func.HttpResponse:
    if isinstance(failure, Rejected):
        return problem(failure)
    _log.warning("%s %s: %s", req.method, req.url.partition("?")[0], failure)
    text = "Something the mesh depends on does not answer. Try again in a moment."
    return _problem("unavailable", text, 503, {}, {"Retry-After": "5"})


def _problem(
    slug: str,
    detail: str,
    status: int,
    more: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> func.HttpResponse:
    body = {
        "type": f"{PROBLEMS}{slug}",
        "title": slug.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        **more,
    }
    return func.HttpResponse(
        json.dumps(body, ensure_ascii=False),
        status_code=status,
        headers=headers,
        mimetype="application/problem+json",
    )
