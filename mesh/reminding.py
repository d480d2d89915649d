"""Tell consumers of a port's end, again at the fixed points of the notice period, and end it."""

from __future__ import annotations

from dataclasses import replace

from mesh import outbox
from mesh.backbone import Backbone
from mesh.committing import commit
from mesh.model import notice_events
from mesh.model.names import ProductId
from mesh.model.notice import Asked, Notice, NoticeStanding, ToldOf
from mesh.model.product import DataProduct
from mesh.model.record import Commit, Head, number
from mesh.model.subscription_events import own_stream
from mesh.notices import outstanding
from mesh.rounds import over_products


def check_all(backbone: Backbone) -> int:
    """Remind who is outstanding, and end the ports whose time has come; returns how many ended.

    What a crash left of what was to be told is done as well. One product's trouble does not
    keep the others from being checked: it is raised at the end.
    """
    return over_products(backbone, check, "the notices of some products could not be checked")


def check(backbone: Backbone, product: ProductId) -> int:
    """The same for one product."""
    found, total = backbone.registry.notices(product), 0
    for notice in found:
        if notice.standing is NoticeStanding.OPEN:
            total += _retire(backbone, notice)
            _remind(backbone, notice)
    if found:
        tell(backbone, product)
    return total


def tell(backbone: Backbone, product: ProductId) -> None:
    """Tell each consumer, once, of the notices of a product that it has to acknowledge."""
    for notice in backbone.registry.notices(product):
        if notice.standing is not NoticeStanding.OPEN or notice.is_told:
            continue
        waited_for = outstanding(backbone, notice)
        for asked in notice.unacknowledged:
            if asked.domain in waited_for:
                _tell(backbone, notice, asked)
        _note(backbone, replace(notice, is_told=True), after=notice)


def _tell(backbone: Backbone, notice: Notice, asked: Asked) -> None:
    stream = own_stream(asked.domain)
    told = ToldOf(
        product=notice.product,
        port=notice.port,
        major=notice.major,
        number=notice.number,
        reminders=notice.reminders,
    )
    announcement = notice_events.told(notice, asked, at=backbone.now())

    def decide(head: Head) -> Commit | None:
        before = backbone.registry.told_of(stream, told.key)
        if before is not None and before.point >= told.point:
            return None
        moved, events = number(head, (announcement,))
        return Commit(head=moved, events=events, told_of=(told,))

    done = commit(backbone, stream, decide)
    if done is None:
        outbox.relay(backbone, stream)  # what an earlier run may have committed and then died
    else:
        outbox.publish(backbone, stream, done.events)


def _remind(backbone: Backbone, notice: Notice) -> None:
    passed = backbone.policy.notices.passed(notice, backbone.now())
    if passed > notice.reminders and outstanding(backbone, notice):
        _note(backbone, replace(notice, reminders=passed, is_told=False), after=notice)


def _note(backbone: Backbone, changed: Notice, *, after: Notice) -> None:
    """Change how far a notice has been told, unless there is something else to tell by now."""

    def decide(head: Head) -> Commit | None:
        found = backbone.registry.notice(changed.product, changed.port, changed.major)
        if found is None or found.standing is not NoticeStanding.OPEN:
            return None
        if (found.number, found.reminders) != (after.number, after.reminders):
            return None
        noted = replace(found, reminders=changed.reminders, is_told=changed.is_told)
        return Commit(head=head, notices=(noted,))

    commit(backbone, changed.product, decide)


def _retire(backbone: Backbone, notice: Notice) -> int:
    """End a port whose sunset has come, once its notice is over or nobody is outstanding."""

    def decide(head: Head) -> Commit | None:
        now = backbone.now()
        found = backbone.registry.notice(notice.product, notice.port, notice.major)
        port = None if head.product is None else head.product.newest_ports.get(notice.key)
        if head.product is None or port is None or found is None:
            return None
        is_due = found.standing is NoticeStanding.OPEN and found.has_set(now)
        if not is_due or (now < found.until and outstanding(backbone, found)):
            return None
        product = _without(head.product, found.retired(now))
        told = notice_events.retired(port, number=found.number, successor=found.successor, at=now)
        moved, events = number(replace(head, product=product), (told,))
        return Commit(head=moved, events=events, notices=(found.retired(now),))

    done = commit(backbone, notice.product, decide)
    if done is None:
        return 0
    outbox.publish(backbone, notice.product, done.events)
    return 1


def _without(product: DataProduct, notice: Notice) -> DataProduct:
    """The product with the port of a notice retired."""
    ports = tuple(
        replace(port, deprecation=replace(port.deprecation, retired_at=notice.retired_at))
        if (port.name, port.major) == notice.key and port.deprecation is not None
        else port
        for port in product.output_ports
    )
    return replace(product, output_ports=ports)
