"""How a command ends when it cannot do what it was asked: a code, a message, a problem document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

PROBLEMS = "urn:mesh:problems:"


class ExitCode(IntEnum):
    """What the exit code of a command means; `docs/cli.md` lists them."""

    DONE = 0
    REFUSED = 1
    """The mesh, or the contract, said no: asking again changes nothing."""
    USAGE = 2
    """The call was wrong, or lacks something on this side: nothing was asked of the mesh."""
    UNAVAILABLE = 3
    """The mesh did not answer, or not in time: asking again may help."""


class Failed(Exception):
    """Ends a command: the message says what was wrong, where, and what to do.

    Args:
        problem: stable slug of the problem's `type` (`docs/problems.md`).
        document: the whole problem+json document, where the mesh has sent one.
    """

    def __init__(
        self,
        message: str,
        *,
        problem: str,
        code: ExitCode,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = problem
        self.code = code
        self._document = document

    @property
    def findings(self) -> Sequence[Mapping[str, Any]]:
        """Every single thing that is wrong, where the mesh has told them."""
        found: Sequence[Mapping[str, Any]] = self.document.get("findings", [])
        return found

    @property
    def document(self) -> Mapping[str, Any]:
        """The problem as JSON (RFC 9457)."""
        return self._document or {
            "type": f"{PROBLEMS}{self.problem}",
            "title": self.problem.replace("-", " ").capitalize(),
            "detail": str(self),
        }


def wrong_call(message: str, *, problem: str = "wrong-call") -> Failed:
    """The call itself is wrong."""
    return Failed(message, problem=problem, code=ExitCode.USAGE)
