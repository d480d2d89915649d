"""Give notice of an output port's end to the consumers whom it affects, and hear them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mesh import consumers
from mesh.backbone import Backbone
from mesh.catalogue import find_product
from mesh.committing import commit
from mesh.endings import Ending, ending_of
from mesh.errors import NotFound, Rejected
from mesh.model import notice_events
from mesh.model.declaration import Declaration
from mesh.model.events import Announcement
from mesh.model.names import ProductId
from mesh.model.notice import Asked, Notice, NoticeStanding
from mesh.model.product import DataProduct, OutputPort, PortKey
from mesh.model.record import Commit, Head


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """What registering a declaration means for ports that end.

    Attributes:
        product: as it is declared, and since when its ports are on their way out.
        notices: those that change.
        announcements: the ends that come with it.
    """

    product: DataProduct
    notices: tuple[Notice, ...]
    announcements: tuple[Announcement, ...]


def registration(
    backbone: Backbone, before: DataProduct | None, declaration: Declaration, product: DataProduct
) -> Registration:
    """What is to be recorded about ports that end, and told, when a declaration is registered.

    Args:
        product: what the declaration says, with its template.
    """
    now = backbone.now()
    ports = tuple(_dated(port, before, now) for port in product.output_ports)
    product = replace(product, output_ports=ports)
    known = {(one.port, one.major): one for one in backbone.registry.notices(product.id)}
    changed = [
        as_declared(backbone, declaration, port, known.get(key))
        for key, port in product.newest_ports.items()
    ]
    told = []
    for key, port in ended(before, product).items():
        notice = known.get(key)
        successor = ending_of(backbone, declaration, port).successor
        count = 0 if notice is None else notice.number
        told.append(notice_events.retired(port, number=count, successor=successor, at=now))
        changed.append(None if notice is None else notice.retired(now))
    return Registration(
        product=product,
        notices=tuple(one for one in changed if one is not None),
        announcements=tuple(told),
    )


def ended(before: DataProduct | None, product: DataProduct) -> dict[PortKey, OutputPort]:
    """The ports that lived until a product was declared without them."""
    ports = {} if before is None else before.newest_ports
    return {
        key: port
        for key, port in ports.items()
        if key not in product.newest_ports and port.retired_at is None
    }


def as_declared(
    backbone: Backbone, declaration: Declaration, port: OutputPort, known: Notice | None
) -> Notice | None:
    """The notice of a port as a declaration makes it; None when that changes nothing.

    Args:
        known: what is on record.
    """
    now = backbone.now()
    open_one = known if known is not None and known.standing is NoticeStanding.OPEN else None
    if port.deprecation is None:
        return open_one and replace(open_one, standing=NoticeStanding.WITHDRAWN)
    if port.retired_at is not None:
        return None
    ending, sunset = ending_of(backbone, declaration, port), port.deprecation.sunset
    given_at = now if open_one is None or _is_more(ending, open_one) else open_one.given_at
    earliest = given_at + ending.period
    made = Notice(
        product=declaration.product.id,
        port=port.name,
        version=port.version,
        major=port.major,
        number=0 if known is None else known.number,
        standing=NoticeStanding.OPEN,
        given_at=given_at,
        until=earliest if sunset is None else max(earliest, sunset),
        sunset=sunset,
        migration=port.deprecation.migration,
        successor=ending.successor,
        changes=ending.changes,
        asked=_asked(ending, open_one),
    )
    if open_one == replace(
        made,
        reminders=0 if open_one is None else open_one.reminders,
        is_told=open_one is not None and open_one.is_told,
    ):
        return None
    passed = backbone.policy.notices.passed(made, now)
    return replace(made, number=made.number + 1, reminders=passed)


def acknowledge(
    backbone: Backbone, product: ProductId, port: str, major: int, consumer: str, *, by: str
) -> Notice:
    """Put on record that a consumer knows, and is ready; once, however often it says so.

    Args:
        by: who says so, a name for people.

    Raises:
        NotFound: there is no such product, or no such notice.
        Rejected: the consumer is not asked, or the port is over, or stays.
    """
    find_product(backbone, product)

    def decide(head: Head) -> Commit | None:
        notice = find(backbone, product, port, major)
        asked = notice.of(consumer)
        if asked is None:
            message = f"{consumer} is not affected by the end of version {major} of {port!r}."
            raise Rejected(message, problem="not-affected", status=409)
        if asked.acknowledged_at is not None:
            return None
        if notice.standing is not NoticeStanding.OPEN:
            message = f"The notice of version {major} of {port!r} is {notice.standing}."
            raise Rejected(message, problem="notice-over", status=409)
        changed = notice.acknowledged(consumer, by=by, at=backbone.now())
        return Commit(head=head, notices=(changed,))

    commit(backbone, product, decide)
    return find(backbone, product, port, major)


def find(backbone: Backbone, product: ProductId, port: str, major: int) -> Notice:
    """The notice of one major version of an output port.

    Raises:
        NotFound: none was given.
    """
    found = backbone.registry.notice(product, port, major)
    if found is None:
        message = f"{product} has given no notice of version {major} of {port!r}."
        raise NotFound(message, problem="unknown-notice")
    return found


def of_product(backbone: Backbone, product: ProductId) -> Sequence[Notice]:
    """All notices of a product.

    Raises:
        NotFound: there is no such product.
    """
    find_product(backbone, product)
    return backbone.registry.notices(product)


def outstanding(backbone: Backbone, notice: Notice) -> tuple[str, ...]:
    """The domains that a notice still waits for: asked, affected as of now, and silent.

    Who consumes the product no more, or says that it relies on other fields, is not waited for.
    """
    now = {one.domain: one for one in consumers.of_product(backbone, notice.product)}
    return tuple(
        asked.domain
        for asked in notice.unacknowledged
        if asked.domain in now
        and any(now[asked.domain].relies_on(change) for change in notice.hitting(asked))
    )


def _dated(port: OutputPort, before: DataProduct | None, now: datetime) -> OutputPort:
    """The port with what only the record knows: since when it is on its way out, and its end."""
    if port.deprecation is None:
        return port
    was = None if before is None else before.newest_ports.get((port.name, port.major))
    known = None if was is None else was.deprecation
    since = known.since if known is not None and known.since is not None else now
    sunset = port.deprecation.sunset
    is_over = known is not None and sunset is not None and sunset <= now
    return replace(
        port,
        deprecation=replace(
            port.deprecation,
            since=since,
            retired_at=known.retired_at if is_over and known is not None else None,
        ),
    )


def _asked(ending: Ending, known: Notice | None) -> tuple[Asked, ...]:
    """Who is asked, and not again for what they have acknowledged.

    Who has come since, and knew, is not asked unless there is more to be told.
    """
    if known is None:
        return ending.asked
    if ending.changes == known.changes:
        return known.asked
    more = _is_more(ending, known)
    return tuple(
        _carried(one, ending, known)
        for one in ending.asked
        if more or known.of(one.domain) is not None
    )


def _carried(asked: Asked, ending: Ending, known: Notice) -> Asked:
    """What is asked of a consumer, who has acknowledged it if that hits it with nothing more."""
    before = known.of(asked.domain)
    hits = {ending.changes[place] for place in asked.affected_by}
    if before is None or not hits <= set(known.hitting(before)):
        return asked
    return replace(
        asked, acknowledged_at=before.acknowledged_at, acknowledged_by=before.acknowledged_by
    )


def _is_more(ending: Ending, known: Notice) -> bool:
    """Whether something breaks that has not been told."""
    return not set(ending.changes) <= set(known.changes)
