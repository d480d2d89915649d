"""What an SDK raises, as the errors of the mesh: one sentence, and none of the secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

from azure.core.exceptions import AzureError, HttpResponseError

from mesh.errors import Unavailable

_QUERY = re.compile(r"\?[^\s'\"<>)]*=[^\s'\"<>)]*")
_SECRET = re.compile(
    r"(?i)\b(accountkey|sharedaccesskey|sharedaccesssignature|sig|aeg-sas-key|aeg-sas-token"
    r"|authorization|bearer)(\s*[=:]\s*|\s+)[^\s;,'\"]+"
)
_LONGEST = 300


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Raise `Unavailable` for whatever Azure or the way there fails with.

    Args:
        doing: what was being done, to complete "… failed" (`Reading the head of geo/regions`).
    """
    try:
        yield
    except (AzureError, HTTPException, OSError) as failure:
        # The cause is cut off: its message may hold a URL with a signature, and logs print causes.
        message = f"{doing} failed: {told(failure)}"
        raise Unavailable(message) from None


def told(failure: Exception) -> str:
    """The gist of an SDK's message: status and code, first line, nothing secret."""
    first = next(iter(str(getattr(failure, "message", None) or failure).splitlines()), "")
    gist = _SECRET.sub(r"\1=…", _QUERY.sub("?…", first))[:_LONGEST] or type(failure).__name__
    if isinstance(failure, HttpResponseError) and failure.status_code is not None:
        code = code_of(failure)
        return f"{failure.status_code}{f' {code}' if code else ''}: {gist}"
    return f"{type(failure).__name__}: {gist}"


def code_of(failure: HttpResponseError) -> str:
    """The service's own code of an error (`EntityAlreadyExists`); empty when it gave none."""
    code = getattr(failure, "error_code", None) or ""
    return str(getattr(code, "value", code))
