"""The ways out to the subscribers that the mesh itself tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from mesh.model.delivery import DeliveryAttempt
from mesh.model.subscription import Channel

_Result = TypeVar("_Result")


class Asides(Protocol):
    """Where work goes on that others would have to wait for."""

    def run(
        self, lane: str, work: Callable[[], _Result], leave: Callable[[], None]
    ) -> _Result | None:
        """Do the work and return what comes of it, or let it go on aside and return None.

        Args:
            lane: whose places are short.
            leave: called before it goes on aside: leaves a message that does it again, in case
                the process ends before. When that fails, the work is waited for.
        """


class Webhooks(Protocol):
    """The way out to subscribers."""

    def verify(self, url: str) -> float:
        """Ask the receiver whether it wants our notifications (CloudEvents webhook handshake).

        Returns:
            how long it took to answer, in seconds.

        Raises:
            Rejected: it does not, or the URL is one we do not send to.
        """

    def deliver(
        self, *, url: str, body: bytes, headers: Mapping[str, str], limit: timedelta
    ) -> DeliveryAttempt:
        """Make one attempt; what the receiver does with it, and within `limit`, is a value."""


class Destinations(Protocol):
    """Consumers' own resources in Azure, reached with the identity of the mesh."""

    def check(self, channel: Channel, target: str) -> str:
        """The one way to write a target that the mesh delivers to.

        Raises:
            Rejected: it is none.
        """

    def deliver(self, parcel: Parcel) -> DeliveryAttempt:
        """Make one attempt; whatever comes of it is a value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """What a destination is given.

    Attributes:
        id: of the notification: the same at every attempt.
        event: the CloudEvent.
        files: name and content of each file that the event is about, where copies were asked for;
            to be read once, one after the other.
        limit: how long it may take.
    """

    channel: Channel
    target: str
    id: str
    event: Mapping[str, Any]
    files: Iterable[tuple[str, Iterable[bytes]]] = ()
    limit: timedelta
