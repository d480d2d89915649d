"""Claims-based security: the node `$cbs`, where clients put their tokens.

Any token is accepted, of any key: the broker is reachable from this machine only, and exists so
that programs run as they do in Azure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from local.service_bus.amqp.codec import write_value_message
from local.service_bus.amqp.requests import read_request
from local.service_bus.amqp.types import Int

if TYPE_CHECKING:
    from local.service_bus.amqp.session import Session

CBS = "$cbs"


def put_token(session: Session) -> Callable[[bytes, int], None]:
    """Give what takes requests of `$cbs`."""

    def receive(encoded: bytes, _format: int) -> None:
        request = read_request(encoded)
        answers = session.responses.get(CBS)
        if answers is None:
            return
        known = request.operation == "put-token"
        application = {
            "status-code": Int(202 if known else 400),
            "status-description": "Accepted" if known else "Only put-token is known here.",
        }
        answer = write_value_message(
            correlation_id=request.message_id, application=application, body=None
        )
        answers.answer(answer)

    return receive
