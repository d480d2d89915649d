"""Consumers' own resources that the mesh delivers into: a topic, a queue, a folder of blobs.

The mesh reaches them with its own identity, which may do more than the consumer may: so a target
is taken apart strictly, its host has to be one of Azure's (whoever owns the host is shown a token
of the identity), and what the mesh itself works with is refused by name, in whatever account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mesh.errors import Rejected
from mesh.model.subscription import Channel

HOSTS = ("*.eventgrid.azure.net", "*.servicebus.windows.net", "*.blob.core.windows.net")
"""Where destinations may be, unless a setting says otherwise; `*` stands for one or more labels."""

LONGEST = 1024
"""Characters of a target."""

RESERVED_ENTITIES = frozenset(
    {"landed-files", "onboarding", "notifications", "notifications-slow", "product-events"}
)
"""Queues and topics of the mesh's own."""

RESERVED_CONTAINERS = frozenset(
    {
        *("landing", "published", "quarantine", "receipts", "contracts", "declarations"),
        *("undelivered", "app-package"),
    }
)
"""Containers of the mesh's own and of its platform."""

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}", re.ASCII)
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost):(\d{1,5})", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?", re.ASCII)
_QUEUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?", re.ASCII)
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}", re.ASCII)
_FOLDER = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9._=-]*", re.ASCII)
_TOPIC = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """A target in its parts.

    Attributes:
        host: DNS name in lower case; with a port only on this machine.
        path: of the Event Grid topic; name of the queue; container and folders, for blobs of this
            machine with the account before them.
        is_local: whether it is on this machine.
    """

    channel: Channel
    host: str
    path: str
    is_local: bool

    @property
    def target(self) -> str:
        """The one way to write it."""
        if self.channel is Channel.SERVICE_BUS:
            return f"{self.host}/{self.path}"
        return f"{'http' if self.is_local else 'https'}://{self.host}/{self.path}"


def parse_destination(
    channel: Channel,
    target: str,
    *,
    hosts: Sequence[str] = HOSTS,
    allow_loopback: bool = False,
    own_topic: str = "",
) -> Destination:
    """Take a target apart.

    Args:
        hosts: where it may be.
        own_topic: endpoint of the mesh's own Event Grid topic, which is refused.

    Raises:
        Rejected: `invalid-destination`: it is none. `destination-not-allowed`: its host is none of
            `hosts`, or it is the mesh's own.
    """
    if len(target) > LONGEST:
        raise _invalid(channel, f"it has {len(target)} characters; at most {LONGEST} are allowed")
    host, path = _parts(channel, target, allow_loopback=allow_loopback)
    found = Destination(
        channel=channel, host=host, path=path, is_local=_LOOPBACK.fullmatch(host) is not None
    )
    if not found.is_local and not any(_is_of(host, pattern) for pattern in hosts):
        message = f"{host} is not a host that the mesh delivers to; those are {', '.join(hosts)}."
        raise Rejected(message, problem="destination-not-allowed", status=422)
    _check_path(found)
    if own_topic and found.target.casefold() == own_topic.rstrip("/").casefold():
        raise _own("the mesh's own topic")
    return found


def resource_of(channel: Channel, target: str) -> str:
    """The queue, topic or container of a target, written in one way whatever its case and folder.

    Azure's names of queues and topics know no case. A container of this machine comes after its
    account.
    """
    if channel is not Channel.INBOX:
        return target.casefold()
    scheme, _, rest = target.partition("://")
    host, *segments = rest.split("/")
    named = segments[:2] if _LOOPBACK.fullmatch(host) else segments[:1]
    return f"{scheme}://{'/'.join((host, *named))}"


def event_name(event: Mapping[str, Any]) -> str:
    """The name of an event in an inbox, without its ending.

    `DOMAIN/PRODUCT/SEQUENCE-ID`: the same whenever it is written, and names sort as events do. An
    event without a sequence has its id alone.
    """
    data = event["data"]
    sequence = f"{event['sequence']}-" if "sequence" in event else ""
    return f"{data['domain']}/{data['product']}/{sequence}{event['id']}"


def _parts(channel: Channel, target: str, *, allow_loopback: bool) -> tuple[str, str]:
    if channel is Channel.SERVICE_BUS:
        namespace, _, path = target.partition("/")
        if _NAMESPACE.fullmatch(namespace):
            namespace = f"{namespace}.servicebus.windows.net"
        host, is_plain = namespace.lower(), True
    else:
        parts = urlsplit(target)
        if parts.scheme not in {"https", "http"}:
            raise _invalid(channel, "it does not begin with https://")
        if "?" in target or "#" in target:
            why = "it has a query or a fragment. Leave out signatures: the mesh's identity is used"
            raise _invalid(channel, why)
        host, path, is_plain = parts.netloc.lower(), parts.path[1:], parts.scheme == "http"
        host = host.removesuffix(":443") if not is_plain else host
    if allow_loopback and is_plain and _LOOPBACK.fullmatch(host):
        return host, path
    if not _HOST.fullmatch(host):
        raise _invalid(channel, f"{host!r} is not the name of a host")
    if channel is not Channel.SERVICE_BUS and is_plain:
        raise _invalid(channel, "it does not begin with https://")
    return host, path


def _is_of(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[2:]
    return host == pattern


def _check_path(found: Destination) -> None:
    segments = found.path.removesuffix("/").split("/")
    if found.channel is Channel.EVENT_GRID:
        named = segments[1:] if found.is_local else segments
        if found.path.endswith("/") or named != ["api", "events"]:
            raise _invalid(found.channel, "its path is not /api/events. Take the topic's endpoint")
        if found.is_local and not _TOPIC.fullmatch(segments[0]):
            raise _invalid(found.channel, "a local topic is at http://HOST:PORT/TOPIC/api/events")
    elif found.channel is Channel.SERVICE_BUS:
        if len(found.path) > 260 or not all(map(_QUEUE.fullmatch, found.path.split("/"))):
            why = f"{found.path!r} is not the name of a queue. Write it as NAMESPACE/QUEUE"
            raise _invalid(found.channel, why)
        if found.path.lower() in RESERVED_ENTITIES:
            raise _own(f"a queue named {found.path}, as one of the mesh's own is")
    else:
        _check_container(found, segments[1:] if found.is_local else segments)


def _check_container(found: Destination, segments: Sequence[str]) -> None:
    container = segments[0] if segments else ""
    if not _CONTAINER.fullmatch(container) or not all(map(_FOLDER.fullmatch, segments[1:])):
        where = "http://HOST:PORT/ACCOUNT" if found.is_local else "https://ACCOUNT.…"
        raise _invalid(found.channel, f"it is not {where}/CONTAINER or a folder of a container")
    if container in RESERVED_CONTAINERS or container.startswith("azure-webjobs"):
        raise _own(f"a container named {container}, as one of the mesh's own is")


def _invalid(channel: Channel, why: str) -> Rejected:
    return Rejected(
        f"The target cannot be told by {channel}: {why}.", problem="invalid-destination"
    )


def _own(what: str) -> Rejected:
    message = f"The mesh does not deliver into {what}. Give another one."
    return Rejected(message, problem="destination-not-allowed", status=422)
