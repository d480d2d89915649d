"""When the next attempt is made, and what a notification is called."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.model.delivery import (
    JITTER,
    LONGEST_PAUSE,
    STANDARD_SCHEDULE,
    live_generations,
    next_attempt,
    webhook_id,
)

PAUSES = st.timedeltas(timedelta(0), timedelta(days=3))
JITTERS = st.floats(0, 1, exclude_max=True)


def test_the_schedule_is_the_one_of_the_standard() -> None:
    pauses = [next_attempt(STANDARD_SCHEDULE, made, jitter=0) for made in range(11)]
    assert pauses == [*STANDARD_SCHEDULE, None]
    assert sum(STANDARD_SCHEDULE, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)


@given(st.integers(0, 9), JITTERS)
def test_jitter_only_lengthens_a_pause_and_by_a_share(made: int, jitter: float) -> None:
    pause = next_attempt(STANDARD_SCHEDULE, made, jitter=jitter)
    assert pause is not None
    assert STANDARD_SCHEDULE[made] <= pause <= STANDARD_SCHEDULE[made] * (1 + JITTER)


@given(st.lists(PAUSES, max_size=5), st.integers(0, 8), st.none() | PAUSES, JITTERS)
def test_a_pause_is_never_shorter_than_what_the_receiver_asked_for_within_bounds(
    schedule: list[timedelta], made: int, asked: timedelta | None, jitter: float
) -> None:
    pause = next_attempt(schedule, made, retry_after=asked, jitter=jitter)
    assert (pause is None) == (made >= len(schedule))
    if pause is not None:
        wanted = max(schedule[made], min(asked or timedelta(0), LONGEST_PAUSE))
        assert wanted <= pause <= wanted * (1 + JITTER)


def test_asking_for_a_pause_gives_no_further_attempt() -> None:
    assert next_attempt([timedelta(0)], 1, retry_after=timedelta(1), jitter=0) is None


def test_the_bound_can_be_set_and_leaves_the_schedule_alone() -> None:
    bound = timedelta(minutes=1)
    asked = next_attempt(
        [timedelta(0)] * 2, 1, retry_after=timedelta(days=9), jitter=0, longest=bound
    )
    assert asked == bound
    assert next_attempt([timedelta(0), timedelta(hours=1)], 1, jitter=0, longest=bound) == (
        timedelta(hours=1)
    )


def test_arguments_out_of_range() -> None:
    with pytest.raises(ValueError, match="attempt_number must be 0 or more, not -1"):
        next_attempt(STANDARD_SCHEDULE, -1, jitter=0)
    for jitter in (-0.1, 1.0):
        with pytest.raises(ValueError, match="jitter must be at least 0 and below 1"):
            next_attempt(STANDARD_SCHEDULE, 1, jitter=jitter)


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_notifications_share_an_id_only_if_they_are_the_same(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert re.fullmatch(r"msg_[0-9a-f]{32}", webhook_id(*one))
    assert (webhook_id(*one) == webhook_id(*other)) == (one == other)


def test_where_a_name_ends_matters() -> None:
    assert webhook_id("a", "bc", "d") != webhook_id("ab", "c", "d")
    assert webhook_id('a","b', "c", "d") != webhook_id("a", 'b","c', "d")


def test_an_id_stays_what_it_was() -> None:
    """Receivers recognise a repeated notification by it, over releases too."""
    assert (
        webhook_id("urn:mesh:geography:countries", "e.1", "s1")
        == "msg_db512333837e08511b1ac025d5469a51"
    )


NOW = datetime(2026, 3, 4, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("generation", "until", "oldest", "live"),
    [
        (1, None, 0, (1,)),
        (3, None, 0, (3,)),
        (3, LATER, 0, (3, 2)),
        (3, NOW, 0, (3,)),
        (3, NOW - timedelta(days=1), 1, (3,)),
        (1, LATER, 0, (1,)),
        (3, LATER, 1, (3, 2, 1)),
        (9, LATER, 1, (9, 8, 7, 6, 5)),
    ],
)
def test_the_generations_before_live_until_their_end(
    generation: int, until: datetime | None, oldest: int, live: tuple[int, ...]
) -> None:
    found = live_generations(generation, previous_until=until, now=NOW, oldest=oldest)

    assert found == live
