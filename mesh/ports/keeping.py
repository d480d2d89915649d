"""What the mesh keeps: the record, and what stands beside it in tables of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from mesh.model.agreement import Agreement
from mesh.model.audit import AuditEntry, Deed, Intent
from mesh.model.catalogue import ProductSummary
from mesh.model.claim import Claim
from mesh.model.ended import Ended
from mesh.model.events import ReceivedEvent
from mesh.model.expectation import Awaited
from mesh.model.file_set import FileSet
from mesh.model.names import ProductId
from mesh.model.notice import Notice, ToldOf
from mesh.model.notification import Delivery, RecordedAttempt
from mesh.model.onboarding import Onboarding
from mesh.model.record import (
    Commit,
    ContractEntry,
    Head,
    InputState,
    LedgerEntry,
    Snapshot,
    Suspicion,
)
from mesh.model.subscription import Channel, Subscription
from mesh.model.template import Template, TemplateName


class Registry(Protocol):
    """The record: one partition per product, changed only through `commit`."""

    def head(self, product: ProductId) -> Head:
        """The product's head; `Head.new` when nothing is recorded."""

    def commit(self, commit: Commit) -> None:
        """Change the record in one transaction, events going to log and outbox.

        Raises:
            Conflict: the head has changed since it was read.
        """

    def versions(self, product: ProductId, blob_key: str) -> Sequence[LedgerEntry]:
        """The decisions about all versions of one blob."""

    def entry(self, product: ProductId, drop: str) -> LedgerEntry | None: ...

    def entries(
        self, product: ProductId, *, file: str | None = None, limit: int
    ) -> Sequence[LedgerEntry]:
        """The product's newest decisions, newest first; `file` picks those about a file's name."""

    def contract(self, product: ProductId, key: str) -> ContractEntry | None:
        """The contract published as `key` (`PORT:VERSION`)."""

    def contracts(self, product: ProductId) -> Sequence[ContractEntry]: ...

    def snapshots(self, product: ProductId) -> Sequence[Snapshot]:
        """The last good version of each object."""

    def awaited(self, product: ProductId) -> Sequence[Awaited]:
        """What is known of the next arrival of each object."""

    def file_set(
        self, product: ProductId, major: int, object_name: str, folder: str
    ) -> FileSet | None:
        """What has come of the set of files in a folder below an object's."""

    def file_sets(self, product: ProductId, *, open_only: bool = False) -> Sequence[FileSet]:
        """All sets of the product, or those that are not complete, in the order of their keys."""

    def agreement(self, product: ProductId, consumer: str) -> Agreement | None:
        """What was agreed with a domain about consuming the product."""

    def agreements(self, product: ProductId) -> Sequence[Agreement]:
        """All of them, in the order of the domains' names."""

    def notice(self, product: ProductId, port: str, major: int) -> Notice | None:
        """The notice of one major version of an output port."""

    def notices(self, product: ProductId) -> Sequence[Notice]:
        """All of them, in the order of their ports and majors."""

    def told_of(self, stream: ProductId, key: str) -> ToldOf | None:
        """How far a domain has been told of a notice, in its own stream."""

    def inputs(self, product: ProductId, period: str) -> Sequence[InputState]: ...

    def events(self, product: ProductId, *, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
        """CloudEvents of the product with a sequence above `after`, in order."""

    def outbox(self, product: ProductId, *, limit: int) -> Sequence[Mapping[str, Any]]:
        """CloudEvents that were committed and are not known to have been published, in order."""

    def relayed(self, product: ProductId, sequences: Sequence[int]) -> None:
        """Take events off the outbox; what is no longer there is left in peace."""

    def suspicions(self, product: ProductId, drop: str, message: str) -> Sequence[Suspicion]:
        """What attempts at a drop have put down, for one message that tells of it."""

    def suspect(self, product: ProductId, suspicion: Suspicion) -> None:
        """Put down how an attempt stands, over what it put down before."""

    def acquit(self, product: ProductId, drop: str, message: str) -> None:
        """Forget what attempts have put down, if any has."""


class Catalogue(Protocol):
    """All products, for finding them; derived from the record and written after it."""

    def put(self, summary: ProductSummary) -> None: ...

    def products(self) -> Iterator[ProductSummary]:
        """Every product, in the order of their keys."""


class Onboardings(Protocol):
    """The sagas."""

    def get(self, onboarding: str) -> Onboarding | None: ...

    def put(self, onboarding: Onboarding) -> None:
        """Write, if nobody else has since it was read (`etag` None: if there is none yet).

        Raises:
            Conflict: somebody has.
        """

    def of_product(self, product: ProductId) -> Sequence[Onboarding]: ...


class Templates(Protocol):
    """The templates of infrastructure that were registered."""

    def add(self, template: Template) -> Template:
        """Write, unless one of its name and version is there; returns what is there then."""

    def get(self, name: TemplateName) -> Template | None: ...

    def all(self) -> Iterator[Template]:
        """Every template, in no particular order."""


class Audit(Protocol):
    """What was decided: logs that are only ever added to."""

    def append(self, deed: Deed) -> AuditEntry:
        """Add a deed to its log, after what is there."""

    def entries(self, log: str, *, limit: int) -> Sequence[AuditEntry]:
        """The newest entries of a log, newest first."""

    def begin(self, intent: Intent) -> Intent:
        """Put an intent down, unless one of its key is there; returns what is there then."""

    def conclude(self, intent: Intent, deed: Deed) -> AuditEntry | None:
        """Add a deed and take its intent away, both or neither; None when it is gone already."""

    def withdraw(self, intent: Intent) -> None:
        """Take an intent away; again is the same."""

    def count(self, intent: Intent) -> None:
        """Count one more on what is there under the key of an intent, if anything is."""

    def intents(self, log: str) -> Sequence[Intent]:
        """What was put down in a log and is still there."""


class Subscriptions(Protocol):
    """Who is to be told what."""

    def add(self, subscription: Subscription) -> None:
        """Write, or write again."""

    def change(
        self,
        product: ProductId,
        subscription: str,
        decide: Callable[[Subscription], Subscription],
    ) -> Subscription | None:
        """Change what is there now, so that no other change is lost; None when nothing is there.

        `decide` is asked again when somebody else was faster; when it changes nothing, nothing is
        written. What it raises comes through.
        """

    def get(self, product: ProductId, subscription: str) -> Subscription | None: ...

    def of_product(self, product: ProductId) -> Sequence[Subscription]: ...

    def wanting(self, event: ReceivedEvent) -> Sequence[Subscription]:
        """Those to the event's product whose filter may let it through, and perhaps others.

        What it costs follows from how many these are, not from how many there are.
        """

    def remove(self, product: ProductId, subscription: str) -> None:
        """Leave nothing of it but that it has ended; again is the same."""

    def ended(self, product: ProductId, subscription: str) -> Ended | None:
        """What stayed when the subscription of this id was last removed."""


class Claims(Protocol):
    """Which destinations domains say are their own, and have proven to be."""

    def get(self, domain: str, channel: Channel, resource: str) -> Claim | None: ...

    def change(
        self, domain: str, channel: Channel, resource: str, decide: Callable[[Claim], Claim]
    ) -> Claim:
        """Change what is there now, or a new claim, so that no other change is lost.

        `decide` is asked again when somebody else was faster; when it changes nothing, nothing is
        written. What it raises comes through.
        """


class Deliveries(Protocol):
    """What became of each notification."""

    def get(self, product: ProductId, sequence: int, subscription: str) -> Delivery | None: ...

    def record(self, attempt: RecordedAttempt) -> None:
        """Add one attempt; recording it twice is recording it once."""

    def of_event(self, product: ProductId, sequence: int) -> Sequence[Delivery]: ...
