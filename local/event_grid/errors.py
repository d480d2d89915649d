"""Refusals over HTTP, with a body like Azure's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web


class Refused(Exception):
    """A request is refused; `status` and `code` are Azure's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def response(self) -> web.Response:
        """`{"error": {"code", "message", "details": [{"code", "message"}]}}`."""
        brief = {"code": self.code, "message": self.message}
        return web.json_response({"error": {**brief, "details": [brief]}}, status=self.status)


@web.middleware
async def answer_refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn `Refused`, and aiohttp's own refusals, into Azure's form."""
    try:
        return await handler(request)
    except Refused as refused:
        return refused.response()
    except web.HTTPRequestEntityTooLarge:
        message = "The request is larger than 1048576 bytes, the limit for a batch of events."
        return Refused(413, "PayloadTooLarge", message).response()
    except web.HTTPNotFound:
        return Refused(404, "NotFound", f"There is nothing at {request.path}.").response()
    except web.HTTPMethodNotAllowed as refused:
        message = f"{request.method} is not allowed at {request.path}."
        return Refused(refused.status, "MethodNotAllowed", message).response()
