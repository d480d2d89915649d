"""The management node of an entity: `<entity>/$management`.

Operations and their arguments are those of "AMQP 1.0 request/response operations in Azure Service
Bus" (https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-request-response).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from local.service_bus.amqp.codec import write_message, write_value_message
from local.service_bus.amqp.requests import NodeRequest, read_request
from local.service_bus.amqp.sections import read_content, readable
from local.service_bus.amqp.types import Array, Int, MalformedError, Symbol, Timestamp
from local.service_bus.core.errors import (
    BrokerError,
    InvalidArgumentError,
    NotAllowedError,
    SessionLockLostError,
)
from local.service_bus.core.mailbox import Mailbox
from local.service_bus.core.message import Changes
from local.service_bus.core.queues import Queue, Topic
from local.service_bus.core.sessions import SessionMailbox

if TYPE_CHECKING:
    from local.service_bus.amqp.session import Session

SUFFIX = "/$management"

_ALL_SESSIONS = 253_402_300_800_000
"""Milliseconds of the first instant of year 10000: `last-updated-time` means any time."""

_MOST_PEEKED_BYTES = 1024 * 1024

Body = dict[str, Any] | None
Arguments = Mapping[str, Any]


class UnknownOperationError(BrokerError):
    """The node has no such operation."""

    condition = "amqp:not-implemented"
    status = 501


class ManagementNode:
    """Takes requests about one entity and answers them, each once its effects are durable."""

    def __init__(self, session: Session, path: str, node: str) -> None:
        self._session, self._path, self._node = session, path, node
        self._namespace = session.namespace
        self._namespace.directory.entity(_without_subqueue(path))
        self._operations: dict[str, Callable[[NodeRequest], Body]] = {
            "renew-lock": self._renew_lock,
            "peek-message": self._peek,
            "schedule-message": self._schedule,
            "cancel-scheduled-message": self._cancel,
            "receive-by-sequence-number": self._receive_deferred,
            "update-disposition": self._update_disposition,
            "renew-session-lock": self._renew_session_lock,
            "get-session-state": self._get_session_state,
            "set-session-state": self._set_session_state,
            "get-message-sessions": self._list_sessions,
        }

    def receive(self, encoded: bytes, _format: int) -> None:
        """Take a request.

        Raises:
            MalformedError: it is no message.
        """
        request = read_request(encoded)
        try:
            body = self._operation(request.operation)(request)
        except BrokerError as refused:
            self._answer(request, refused.status, str(refused), refused.condition, {})
        except (KeyError, TypeError, ValueError, AttributeError, MalformedError) as wrong:
            message = f"{request.operation}: an argument is missing or has a wrong type: {wrong!r}"
            condition = InvalidArgumentError.condition
            self._answer(request, InvalidArgumentError.status, message, condition, {})
        else:
            status = 204 if body is None else 200
            self._answer(request, status, "OK", None, body)

    def _operation(self, name: str) -> Callable[[NodeRequest], Body]:
        known = self._operations.get(name.removeprefix("com.microsoft:"))
        if known is None:
            message = f"The operation '{name}' is not supported."
            raise UnknownOperationError(message)
        return known

    def _answer(
        self, request: NodeRequest, status: int, text: str, condition: str | None, body: Body
    ) -> None:
        application: dict[str, Any] = {"statusCode": Int(status), "statusDescription": text}
        if condition is not None:
            application["errorCondition"] = Symbol(condition)
        message = write_value_message(
            correlation_id=request.message_id, application=application, body=body
        )
        answers = self._session.responses.get(self._node)
        if answers is not None:
            self._session.when_durable(partial(answers.answer, message))

    # What the operations work on

    def _mailbox(self) -> Mailbox:
        return self._namespace.directory.receivable(self._path)[1]

    def _sessions(self) -> SessionMailbox:
        mailbox = self._mailbox()
        if not isinstance(mailbox, SessionMailbox):
            raise NotAllowedError(f"'{self._path}' does not require sessions.")
        return mailbox

    def _target(self) -> Queue | Topic:
        return self._namespace.directory.sendable(self._path)

    # Messages

    def _renew_lock(self, request: NodeRequest) -> Body:
        tokens = [token.bytes_le for token in request.arguments["lock-tokens"]]
        ends = self._mailbox().renew(tokens)
        return {"expirations": Array(Timestamp(round(end * 1000)) for end in ends)}

    def _peek(self, request: NodeRequest) -> Body:
        given = request.arguments
        first, count = given["from-sequence-number"], given["message-count"]
        found = self._mailbox().peek(first, count, given.get("session-id"))
        entries: list[dict[str, Any]] = []
        size = 0
        for message in found:
            encoded = write_message(message)
            size += len(encoded)
            if entries and size > _MOST_PEEKED_BYTES:
                break
            entries.append({"message": encoded})
        return {"messages": entries} if entries else None

    def _schedule(self, request: NodeRequest) -> Body:
        contents = [read_content(bytes(m["message"])) for m in request.arguments["messages"]]
        numbers = self._namespace.router.schedule(self._target(), contents)
        return {"sequence-numbers": Array(numbers)}

    def _cancel(self, request: NodeRequest) -> Body:
        self._target().mailbox.cancel(request.arguments["sequence-numbers"])
        return {}

    def _receive_deferred(self, request: NodeRequest) -> Body:
        given, mailbox = request.arguments, self._mailbox()
        settles = given.get("receiver-settle-mode", 1) == 1
        session_id = given.get("session-id")
        if isinstance(mailbox, SessionMailbox):
            self._check_session(mailbox, session_id, request.link_name)
        found = mailbox.receive_deferred(
            given["sequence-numbers"], settles=settles, session_id=session_id
        )
        entries = []
        for message in found:
            entry: dict[str, Any] = {"message": write_message(message)}
            if message.token is not None:
                entry["lock-token"] = uuid.UUID(bytes_le=message.token)
            entries.append(entry)
        return {"messages": entries}

    @staticmethod
    def _check_session(
        mailbox: SessionMailbox, session_id: str | None, link_name: str | None
    ) -> None:
        if session_id is None:
            raise SessionLockLostError("")
        mailbox.get_state(session_id, link_name)

    def _update_disposition(self, request: NodeRequest) -> Body:
        given, mailbox = request.arguments, self._mailbox()
        tokens = [token.bytes_le for token in given["lock-tokens"]]
        modified = given.get("properties-to-modify") or {}
        changes = Changes(user={str(name): readable(value) for name, value in modified.items()})
        status = given["disposition-status"]
        for token in tokens:
            if status == "completed":
                mailbox.complete(token)
            elif status == "abandoned":
                mailbox.abandon(token, changes)
            elif status in {"defered", "deferred"}:
                mailbox.defer(token, changes)
            elif status == "suspended":
                reason = given.get("deadletter-reason") or ""
                description = given.get("deadletter-description") or ""
                mailbox.dead_letter(token, reason, description, changes)
            else:
                raise InvalidArgumentError(f"The disposition status '{status}' is not known.")
        return {}

    # Sessions

    def _renew_session_lock(self, request: NodeRequest) -> Body:
        name = request.arguments["session-id"]
        end = self._sessions().renew_session(name, request.link_name)
        return {"expiration": Timestamp(round(end * 1000))}

    def _get_session_state(self, request: NodeRequest) -> Body:
        name = request.arguments["session-id"]
        return {"session-state": self._sessions().get_state(name, request.link_name)}

    def _set_session_state(self, request: NodeRequest) -> Body:
        name, state = request.arguments["session-id"], request.arguments.get("session-state")
        kept = None if state is None else bytes(state)
        self._sessions().set_state(name, kept, request.link_name)
        return {}

    def _list_sessions(self, request: NodeRequest) -> Body:
        given = request.arguments
        updated: int = given["last-updated-time"]
        after = None if updated >= _ALL_SESSIONS else updated / 1000
        names = self._sessions().names(updated_after=after)
        page = names[given["skip"] : given["skip"] + given["top"]]
        return {"skip": Int(given["skip"]), "sessions-ids": Array(page)} if page else None


def _without_subqueue(path: str) -> str:
    return path.split("/$", 1)[0]
