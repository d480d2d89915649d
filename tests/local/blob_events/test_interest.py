"""Which containers are watched."""

from __future__ import annotations

from typing import Any

import pytest

from local.blob_events.interest import interest_of
from local.event_grid.documents import Document
from local.event_grid.filters import read_filter

CONTAINERS = "/blobServices/default/containers/"


def wants(container: str, *filters: dict[str, Any]) -> bool:
    read = [read_filter(Document(value=each)) for each in filters]
    return interest_of(read).includes(container)


@pytest.mark.parametrize(
    ("prefix", "container", "expected"),
    [
        ("", "any", True),
        ("", "$logs", False),
        ("/blobServices/", "any", True),
        (CONTAINERS, "any", True),
        (CONTAINERS + "land", "landing", True),
        (CONTAINERS + "land", "island", False),
        (CONTAINERS + "landing/", "landing", True),
        (CONTAINERS + "landing/", "landing2", False),
        (CONTAINERS.upper() + "LANDING/blobs/a/", "landing", True),
        ("/elsewhere", "landing", False),
    ],
)
def test_by_subject(prefix: str, container: str, expected: bool) -> None:
    assert wants(container, {"subjectBeginsWith": prefix}) is expected


def test_by_event_type() -> None:
    assert wants("a", {"includedEventTypes": ["Microsoft.Storage.BlobDeleted"]})
    assert not wants("a", {"includedEventTypes": ["Microsoft.Storage.BlobTierChanged"]})


def test_any_subscription_suffices_and_none_wants_nothing() -> None:
    assert wants("b", {"subjectBeginsWith": CONTAINERS + "a/"}, {"subjectBeginsWith": CONTAINERS})
    assert not wants("b")
