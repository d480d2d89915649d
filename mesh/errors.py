"""The errors of the mesh; everything else a verb returns is a value.

    MeshError
      + Rejected       the caller asked for something that cannot be: told at once, never retried
        - NotFound     what the caller named does not exist
        - TooMany      the caller calls too often
      + Unavailable    something we depend on failed: retried, and dead-lettered in the end
        - Conflict     another writer was faster: read again, decide again

A producer's bad file is none of these: it ends in a verdict (`mesh.model.receipt`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesh.model.findings import Finding


class MeshError(Exception):
    """The root of the tree."""


class Rejected(MeshError):
    """The caller's fault: the message says what was wrong, where, and what to do.

    Args:
        message: for the person who made the call.
        problem: what kind of refusal, a stable slug (`unknown-product`); it ends the `type` URI of
            the problem+json answer (RFC 9457).
        status: the HTTP status of that answer.
        findings: every single thing that is wrong, when there is more to say than one sentence.
    """

    def __init__(
        self, message: str, *, problem: str, status: int = 400, findings: tuple[Finding, ...] = ()
    ) -> None:
        super().__init__(message)
        self.problem = problem
        self.status = status
        self.findings = findings


class NotFound(Rejected):
    """What the caller named does not exist (404)."""

    def __init__(self, message: str, *, problem: str = "not-found") -> None:
        super().__init__(message, problem=problem, status=404)


class TooMany(Rejected):
    """The caller calls too often (429).

    Args:
        after: seconds to wait.
    """

    def __init__(self, message: str, *, problem: str, after: int) -> None:
        super().__init__(message, problem=problem, status=429)
        self.after = after


class Unavailable(MeshError):
    """Something the mesh depends on failed; the same work may succeed when done again."""


class Conflict(Unavailable):
    """Another writer changed the record since it was read; read it and decide again."""
