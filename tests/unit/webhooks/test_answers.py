from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.webhooks.answers import LONGEST_RETRY_AFTER, Answer, judge, retry_after

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


def _answer(status: int = 503, **headers: str) -> Answer:
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Answer(status=status, headers=pairs)


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (200, "delivered", "The receiver answered 200 OK."),
        (204, "delivered", "The receiver answered 204 No Content."),
        (299, "delivered", "The receiver answered 299."),
        (
            301,
            "refused",
            "The receiver answered 301 Moved Permanently; redirects are never followed.",
        ),
        (304, "refused", "The receiver answered 304 Not Modified; redirects are never followed."),
        (410, "gone", "The receiver answered 410 Gone: it wants no more notifications."),
        (101, "retry", "The receiver answered 101 Switching Protocols."),
        (400, "retry", "The receiver answered 400 Bad Request."),
        (404, "retry", "The receiver answered 404 Not Found."),
        (429, "retry", "The receiver answered 429 Too Many Requests."),
        (500, "retry", "The receiver answered 500 Internal Server Error."),
        (503, "retry", "The receiver answered 503 Service Unavailable."),
        (799, "retry", "The receiver answered 799."),
    ],
)
def test_what_a_status_means(status: int, outcome: str, reason: str) -> None:
    assert judge(_answer(status)) == (outcome, reason)


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(minutes=2)),
        (" 120 ", timedelta(minutes=2)),
        ("Wed, 04 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Wednesday, 04-Mar-26 12:05:00 GMT", timedelta(minutes=5)),
        ("Wed Mar  4 12:05:00 2026", timedelta(minutes=5)),
        ("Wed, 04 Mar 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Wed, 04 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("9" * 10, LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("١٢", None),
        ("Wed, 99 Mar 2026 12:05:00 GMT", None),
        ("70 Jan ::  00:-9999999999999 99", None),
        ("Jan 0 -9999999999999 12:05:00 70", None),
    ],
)
def test_retry_after(text: str, pause: timedelta | None) -> None:
    assert retry_after(_answer(Retry_After=text), now=NOW) == pause


def test_no_retry_after() -> None:
    assert retry_after(_answer(), now=NOW) is None


@given(st.text(max_size=80))
def test_no_text_at_all_is_an_error(text: str) -> None:
    pause = retry_after(_answer(Retry_After=text), now=NOW)
    assert pause is None or timedelta(0) <= pause <= LONGEST_RETRY_AFTER


@given(st.text("MTWFS,onuedthrai 0123456789:-+GMT()", max_size=40))
def test_nor_is_one_that_looks_like_a_date(text: str) -> None:
    pause = retry_after(_answer(Retry_After=text), now=NOW)
    assert pause is None or timedelta(0) <= pause <= LONGEST_RETRY_AFTER


def test_headers_are_found_whatever_their_case_and_number() -> None:
    answer = Answer(status=200, headers=[(b"X-A", b" 1 "), (b"x-b", b"2"), (b"x-a", b"\xff")])
    assert answer.values(b"x-a") == ["1", "ÿ"]
