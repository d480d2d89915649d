"""Attaching links: which node an address means, and what the client is told about the link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from local.service_bus.amqp import performatives as p
from local.service_bus.amqp.cbs import CBS, put_token
from local.service_bus.amqp.encoding import NULL, described, encode, encode_list
from local.service_bus.amqp.links import (
    IncomingLink,
    Link,
    OutgoingLink,
    ResponseLink,
    entity_receiver,
)
from local.service_bus.amqp.management import SUFFIX, ManagementNode
from local.service_bus.amqp.types import Described, MalformedError, Symbol, UInt
from local.service_bus.core.errors import BrokerError, NotAllowedError, TimedOutError
from local.service_bus.core.queues import Queue, Subscription
from local.service_bus.core.routing import check_enabled
from local.service_bus.core.sessions import SessionMailbox

if TYPE_CHECKING:
    from local.service_bus.amqp.session import Session

_SESSION_FILTER = Symbol("com.microsoft:session-filter")
_LOCKED_UNTIL = Symbol("com.microsoft:locked-until-utc")
_TIMEOUT = "com.microsoft:timeout"
_BATCH_SIZE = Symbol("com.microsoft:max-message-batch-size")

_DEFAULT_SESSION_WAIT = 60.0
_TICKS_AT_EPOCH = 621_355_968_000_000_000
_TICKS_PER_SECOND = 10_000_000
_COORDINATOR = 0x30
_NODE_MESSAGE_SIZE = 64 * 1024 * 1024
_FILTER_FIELD = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An attach performative. `source` and `target` are as the client encoded them."""

    name: str
    handle: int
    client_receives: bool
    settle_modes: tuple[int, int]
    source: bytes
    target: bytes
    source_fields: list[Any]
    address: str
    properties: dict[str, Any]

    @classmethod
    def read(cls, fields: list[Any], body: bytes) -> Request:
        """Read the performative from its fields and its bytes.

        Raises:
            MalformedError: it lacks a name or a handle, or its modes are no numbers.
        """
        name, handle, modes = fields[0], fields[1], (fields[3] or 0, fields[4] or 0)
        if not isinstance(name, str) or not _is_octets(handle, 4):
            raise MalformedError("an attach without name or handle")
        if not all(_is_octets(mode, 1) for mode in modes):
            raise MalformedError("an attach with settle modes that are none")
        items = p.raw_items(body) + [NULL] * 7
        source, target = fields[5], fields[6]
        node = source if fields[2] else target
        return cls(
            name=name,
            handle=handle,
            client_receives=bool(fields[2]),
            settle_modes=modes,
            source=items[5],
            target=items[6],
            source_fields=source.value if isinstance(source, Described) else [],
            address=_address(node),
            properties=fields[13] if isinstance(fields[13], dict) else {},
        )

    @property
    def session_filter(self) -> tuple[bool, str | None]:
        """Give (whether a session is asked for, which one; None means any)."""
        filters = self.source_fields[_FILTER_FIELD] if len(self.source_fields) > 7 else None
        if not isinstance(filters, dict) or _SESSION_FILTER not in filters:
            return False, None
        wanted = filters[_SESSION_FILTER]
        wanted = wanted.value if isinstance(wanted, Described) else wanted
        return True, None if wanted is None else str(wanted)


def _is_octets(value: Any, width: int) -> bool:
    return type(value) is int and 0 <= value < 256**width


def _address(node: Any) -> str:
    """Give the path of an address, which may be a URL, without the host."""
    if not isinstance(node, Described) or not node.value:
        return ""
    address = node.value[0]
    text = address.decode() if isinstance(address, bytes) else str(address or "")
    if "://" in text:
        text = urlsplit(text).path
    return unquote(text).strip("/")


class NoTransactionsError(BrokerError):
    """The client wants to begin transactions."""

    condition = "amqp:not-implemented"
    status = 501


def attach(session: Session, fields: list[Any], body: bytes) -> None:
    """Attach a link, or refuse: attach without a node, then detach with the reason."""
    request = Request.read(fields, body)
    try:
        if isinstance(fields[6], Described) and fields[6].descriptor == _COORDINATOR:
            raise NoTransactionsError("Transactions are not supported by the local Service Bus.")
        if request.client_receives:
            _attach_receiver(session, request)
        else:
            _attach_sender(session, request)
    except BrokerError as refused:
        refuse(session, request, refused)


def refuse(session: Session, request: Request, refused: BrokerError) -> None:
    """Answer an attach that is refused."""
    _reply(session, request, source=NULL, target=NULL)
    session.connection.write(p.detach_frame(session.channel, request.handle, refused))


def _reply(
    session: Session,
    request: Request,
    *,
    source: bytes | None = None,
    target: bytes | None = None,
    max_message_size: int | None = None,
    properties: dict[Symbol, Any] | None = None,
) -> None:
    session.connection.write(
        p.attach_frame(
            session.channel,
            name=request.name,
            handle=request.handle,
            receiver=not request.client_receives,
            settle_modes=request.settle_modes,
            source=request.source if source is None else source,
            target=request.target if target is None else target,
            max_message_size=max_message_size,
            properties=properties,
        )
    )


def _attach_sender(session: Session, request: Request) -> None:
    """Attach a link over which the client sends: to an entity, or requests to a node."""
    address, lowered = request.address, request.address.lower()
    limit, properties = _NODE_MESSAGE_SIZE, None
    if lowered == CBS:
        receive = put_token(session)
    elif lowered.endswith(SUFFIX):
        node = ManagementNode(session, address[: -len(SUFFIX)], lowered)
        receive = node.receive
    else:
        entity = session.namespace.directory.sendable(address)
        check_enabled(entity, "SendDisabled")
        limit = entity.spec.max_message_size_in_kilobytes * 1024
        properties = {_BATCH_SIZE: UInt(limit)}
        receive = entity_receiver(session, entity.path)
    link = IncomingLink(session, request.name, request.handle, receive, limit)
    session.add(request.handle, link)
    _reply(session, request, max_message_size=limit, properties=properties)
    link.start()


def _attach_receiver(session: Session, request: Request) -> None:
    """Attach a link over which the client receives: from a mailbox, or a node's answers."""
    lowered = request.address.lower()
    if lowered == CBS or lowered.endswith(SUFFIX):
        answers = ResponseLink(session, request.name, request.handle, lowered)
        session.add(request.handle, answers)
        _reply(session, request)
        return
    entity, mailbox = session.namespace.directory.receivable(request.address)
    check_enabled(entity, "ReceiveDisabled")
    if entity.spec.forward_to and mailbox is entity.mailbox:
        raise NotAllowedError(
            f"Cannot receive from '{entity.path}': it forwards its messages to "
            f"'{entity.spec.forward_to}'."
        )
    settles = request.settle_modes[0] != 1
    link = OutgoingLink(session, request.name, request.handle, mailbox, settles=settles)
    asks_session, session_id = request.session_filter
    if asks_session:
        _accept_session(session, request, link, entity, session_id)
        return
    mailbox.attach(link)
    session.add(request.handle, link)
    _reply(session, request)


def _accept_session(
    session: Session,
    request: Request,
    link: OutgoingLink,
    entity: Queue | Subscription,
    session_id: str | None,
) -> None:
    mailbox = link.mailbox
    if not isinstance(mailbox, SessionMailbox):
        raise NotAllowedError(
            f"A sessionful message receiver cannot be created on '{entity.path}', which does not "
            "require sessions. Set RequiresSession when creating a queue or subscription."
        )
    if session_id is not None:
        until = mailbox.accept(link, session_id)
        session.add(request.handle, link)
        _reply_session(session, request, session_id, until)
        return
    _wait_for_session(session, request, link, mailbox)


def _wait_for_session(
    session: Session, request: Request, link: OutgoingLink, mailbox: SessionMailbox
) -> None:
    """Answer the attach when a session is there, or refuse it when the time is over."""
    asked = request.properties.get(_TIMEOUT)
    wait = asked / 1000 if isinstance(asked, int) else _DEFAULT_SESSION_WAIT
    waiting = _Waiting(session)
    session.add(request.handle, waiting)

    def done() -> None:
        timer.cancel()
        waiting.cancel = None
        link.on_session = link.on_refused = None

    def accepted(session_id: str, until: float) -> None:
        done()
        session.add(request.handle, link)
        _reply_session(session, request, session_id, until)

    def refused(error: BrokerError) -> None:
        done()
        mailbox.detach(link)
        session.forget(request.handle)
        refuse(session, request, error)

    def timed_out() -> None:
        message = f"No session became available within the allotted time of {wait:g} seconds."
        refused(TimedOutError(message))

    def cancelled() -> None:
        done()
        mailbox.detach(link)

    timer = session.connection.loop.call_later(wait, timed_out)
    waiting.cancel = cancelled
    link.on_session, link.on_refused = accepted, refused
    mailbox.wait_for_any(link)


class _Waiting(Link):
    """Stands in a handle's place until a session is accepted; cancels if the client leaves."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "", 0)
        self.cancel: Any = None

    def closed(self) -> None:
        if self.cancel is not None:
            self.cancel()


def _reply_session(session: Session, request: Request, session_id: str, until: float) -> None:
    items = p.raw_items(request.source)
    items += [NULL] * (_FILTER_FIELD + 1 - len(items))
    items[_FILTER_FIELD] = encode({_SESSION_FILTER: session_id})
    ticks = round(until * _TICKS_PER_SECOND) + _TICKS_AT_EPOCH
    source = described(p.SOURCE, encode_list(items))
    _reply(session, request, source=source, properties={_LOCKED_UNTIL: ticks})
