"""Timer schedules and the listener, on a clock that tests drive."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from azure.functions.meta import Datum
from hypothesis import given
from hypothesis import strategies as st

from local.functions_host.bindings import Binding
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, InvocationFailedError
from local.functions_host.retries import RetryPolicy
from local.functions_host.schedules import is_monitored, parse_schedule
from local.functions_host.triggers.timer import TimerListener, time_zone
from local.process import LocalError

MADRID = ZoneInfo("Europe/Madrid")  # leaps to summer time at 2 o'clock, falls back at 3


def at(text: str, zone: tzinfo = UTC) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("schedule", "now", "following"),
    [
        ("0 */5 * * * *", "2026-01-01T00:01", "2026-01-01T00:05"),
        ("*/5 * * * *", "2026-01-01T00:01", "2026-01-01T00:05"),
        ("30 0 12 * * *", "2026-01-01T12:00:30", "2026-01-02T12:00:30"),
        ("0 30 9 * Jan Mon", "2026-01-01T00:00", "2026-01-05T09:30"),
        ("0 0 9 * * monday-FRIDAY", "2026-01-03T00:00", "2026-01-05T09:00"),
        ("0 0 0 1 */3 *", "2026-01-01T00:00", "2026-04-01T00:00"),
        ("0 0 0 13 * 5", "2026-01-01T00:00", "2026-02-13T00:00"),  # both must fit
        ("0 0 0 * * 0", "2026-01-01T00:00", "2026-01-04T00:00"),  # Sunday
        ("01:30:00", "2026-01-01T00:00", "2026-01-01T01:30"),
    ],
)
def test_the_next_occurrence(schedule: str, now: str, following: str) -> None:
    assert parse_schedule(schedule, "f").next_after(at(now)) == at(following)


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ("", "neither 6 fields nor the form hh:mm:ss"),
        ("every day", "neither 6 fields"),
        ("00:00:00", "must be more than zero"),
        ("0 0 0 * * 7", r"0 \(Sunday\) to 6"),
        ("0 0 0 L * *", "cannot be read"),
        ("0 0 0 ? * *", "is no NCRONTAB field"),
        ("0 60 0 * * *", "cannot be read"),
    ],
)
def test_refusals(schedule: str, says: str) -> None:
    with pytest.raises(LocalError, match=says) as refused:
        parse_schedule(schedule, "f")
    assert "Function 'f'" in str(refused.value)


class TestDaylightSaving:
    """In 2026 Madrid leaps on 29 March and falls back on 25 October."""

    def occurrences(self, schedule: str, start: datetime, count: int) -> list[str]:
        found, parsed = [], parse_schedule(schedule, "f")
        for _ in range(count):
            start = parsed.next_after(start)
            found.append(start.astimezone(UTC).isoformat(timespec="minutes")[:16])
        return found

    def test_a_time_that_is_leapt_over_runs_at_the_same_instant(self) -> None:
        start = at("2026-03-28T03:00", MADRID)
        assert self.occurrences("0 30 2 * * *", start, 2) == [
            "2026-03-29T01:30",
            "2026-03-30T00:30",
        ]

    def test_a_point_in_time_runs_once_when_the_hour_repeats(self) -> None:
        start = at("2026-10-24T03:00", MADRID)
        assert self.occurrences("0 30 2 * * *", start, 2) == [
            "2026-10-25T00:30",
            "2026-10-26T01:30",
        ]

    def test_started_within_the_second_hour_it_waits_for_the_next_day(self) -> None:
        start = at("2026-10-25T02:10", MADRID).replace(fold=1)
        assert self.occurrences("0 30 2 * * *", start, 1) == ["2026-10-26T01:30"]

    def test_an_interval_runs_through_both_hours(self) -> None:
        start = at("2026-10-25T01:30", MADRID)
        assert self.occurrences("0 */30 * * * *", start, 6) == [
            *("2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00"),
            *("2026-10-25T01:30", "2026-10-25T02:00", "2026-10-25T02:30"),
        ]


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 (the zone comes next)
    st.sampled_from(["0 */7 * * * *", "0 30 2 * * *", "*/10 * * * * *", "0 0 */6 * * *", "00:20"]),
)
def test_the_next_occurrence_is_later_and_exists(moment: datetime, schedule: str) -> None:
    now = moment.replace(tzinfo=UTC).astimezone(MADRID)
    following = parse_schedule(schedule, "f").next_after(now)
    assert following.astimezone(UTC) > now.astimezone(UTC)
    assert following == following.astimezone(UTC).astimezone(MADRID)


def test_schedules_under_a_minute_have_no_stored_status() -> None:
    now = at("2026-01-01T00:00")
    assert not is_monitored(parse_schedule("*/30 * * * * *", "f"), now)
    assert is_monitored(parse_schedule("0 * * * * *", "f"), now)


def test_the_time_zone_may_be_set() -> None:
    assert time_zone({"WEBSITE_TIME_ZONE": "Europe/Madrid"}) == MADRID
    with pytest.raises(LocalError, match="'Nowhere' is no IANA time zone"):
        time_zone({"WEBSITE_TIME_ZONE": "Nowhere"})
    assert time_zone({}) is not None


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, start: str) -> None:
        self.now = at(start)
        self.sleeps: list[float] = []

    def __call__(self, zone: tzinfo) -> datetime:
        return self.now.astimezone(zone)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += timedelta(seconds=seconds)


class Calls:
    """Stands where the invoker stands: notes what a timer function would be given."""

    def __init__(self, clock: Clock, *, enough: int, took: float = 0, failing: int = 0) -> None:
        self.given: list[tuple[str, dict[str, Any]]] = []
        self.retries: list[tuple[int, int, str]] = []
        self.stop = asyncio.Event()
        self._clock, self._enough, self._took, self._failing = clock, enough, took, failing

    async def invoke(self, _function: IndexedFunction, call: Call) -> Datum | None:
        assert call.data is not None
        self.given.append((self._clock.now.isoformat()[:19], json.loads(call.data.value)))
        self.retries.append((call.retry.count, call.retry.maximum, call.retry.message))
        self._clock.now += timedelta(seconds=self._took)
        if len(self.given) >= self._enough:
            self.stop.set()
        if len(self.given) <= self._failing:
            raise InvocationFailedError from RuntimeError("no")
        return None


def timer(schedule: str, *, retry: RetryPolicy | None = None, **values: Any) -> IndexedFunction:
    trigger = Binding(
        name="timer",
        type="timerTrigger",
        is_output=False,
        data_type=None,
        values={"schedule": schedule, **values},
    )
    return IndexedFunction(
        name="tick",
        call=lambda: None,
        is_async=False,
        directory=Path(),
        script_file="",
        trigger=trigger,
        bindings=(trigger,),
        inputs={},
        outputs={},
        returns=None,
        wants_context=False,
        retry=retry,
        disabled=False,
    )


async def run(
    state: Path,
    function: IndexedFunction,
    start: str,
    *,
    enough: int,
    zone: tzinfo = UTC,
    **options: Any,
) -> tuple[Calls, Clock]:
    clock = Clock(start)
    calls = Calls(clock, enough=enough, **options)
    invoker: Any = calls
    listener = TimerListener(function, invoker, state, zone=zone, clock=clock, sleep=clock.sleep)
    await asyncio.wait_for(listener.run(calls.stop), 20)
    return calls, clock


def times(calls: Calls) -> list[str]:
    return [moment for moment, _ in calls.given]


@pytest.mark.asyncio
class TestListener:
    async def test_it_runs_on_schedule(self, tmp_path: Path) -> None:
        calls, _ = await run(tmp_path, timer("0 */10 * * * *"), "2026-01-01T00:03:00", enough=2)
        assert times(calls) == ["2026-01-01T00:10:00", "2026-01-01T00:20:00"]
        first, second = (given for _, given in calls.given)
        assert first["IsPastDue"] is False
        assert first["ScheduleStatus"]["Last"] == "0001-01-01T00:00:00"
        assert first["ScheduleStatus"]["Next"] == "2026-01-01T00:10:00+00:00"
        assert second["ScheduleStatus"]["Last"] == "2026-01-01T00:10:00+00:00"

    async def test_a_missed_run_is_made_up_for_once(self, tmp_path: Path) -> None:
        function = timer("0 */10 * * * *")
        await run(tmp_path, function, "2026-01-01T00:03:00", enough=1)
        calls, _ = await run(tmp_path, function, "2026-01-01T05:01:00", enough=2)
        assert times(calls) == ["2026-01-01T05:01:00", "2026-01-01T05:10:00"]
        assert [given["IsPastDue"] for _, given in calls.given] == [True, False]

    async def test_a_changed_schedule_makes_nothing_up(self, tmp_path: Path) -> None:
        await run(tmp_path, timer("0 */10 * * * *"), "2026-01-01T00:03:00", enough=1)
        calls, _ = await run(tmp_path, timer("0 0 */2 * * *"), "2026-01-01T05:01:00", enough=1)
        assert times(calls) == ["2026-01-01T06:00:00"]
        assert calls.given[0][1]["IsPastDue"] is False

    async def test_without_monitor_nothing_is_stored(self, tmp_path: Path) -> None:
        function = timer("0 */10 * * * *", useMonitor=False)
        calls, _ = await run(tmp_path, function, "2026-01-01T00:03:00", enough=1)
        assert calls.given[0][1]["ScheduleStatus"] is None
        assert not (tmp_path / "timers").exists()

    async def test_it_may_run_on_startup(self, tmp_path: Path) -> None:
        function = timer("0 */10 * * * *", runOnStartup=True)
        calls, _ = await run(tmp_path, function, "2026-01-01T00:03:00", enough=2)
        assert times(calls) == ["2026-01-01T00:03:00", "2026-01-01T00:10:00"]

    async def test_runs_never_overlap(self, tmp_path: Path) -> None:
        calls, _ = await run(
            tmp_path, timer("0 */10 * * * *"), "2026-01-01T00:03:00", enough=3, took=25 * 60
        )
        # Whoever overruns is called again at once, once, whatever was missed.
        assert times(calls) == [
            *("2026-01-01T00:10:00", "2026-01-01T00:35:00", "2026-01-01T01:00:00")
        ]

    async def test_a_failure_does_not_stop_the_schedule(self, tmp_path: Path) -> None:
        calls, _ = await run(
            tmp_path, timer("0 */10 * * * *"), "2026-01-01T00:03:00", enough=2, failing=1
        )
        assert times(calls) == ["2026-01-01T00:10:00", "2026-01-01T00:20:00"]

    async def test_a_retry_policy_runs_again(self, tmp_path: Path) -> None:
        policy = RetryPolicy(max_count=2, fixed_delay=timedelta(seconds=5))
        function = timer("0 */10 * * * *", retry=policy)
        calls, _ = await run(tmp_path, function, "2026-01-01T00:03:00", enough=4, failing=3)
        assert times(calls)[:3] == [
            *("2026-01-01T00:10:00", "2026-01-01T00:10:05", "2026-01-01T00:10:10")
        ]
        assert times(calls)[3] == "2026-01-01T00:20:00"
        assert calls.retries == [
            (0, 2, ""),
            (1, 2, "RuntimeError: no"),
            (2, 2, "RuntimeError: no"),
            (0, 2, ""),
        ]

    async def test_long_waits_are_divided(self, tmp_path: Path) -> None:
        calls, clock = await run(tmp_path, timer("0 0 0 1 1 *"), "2026-01-01T00:00:01", enough=1)
        assert times(calls) == ["2027-01-01T00:00:00"]
        assert max(clock.sleeps) <= timedelta(days=1).total_seconds()

    async def test_a_status_that_cannot_be_read_is_ignored(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "timers").mkdir()
        (tmp_path / "timers" / "tick.json").write_text("{")
        calls, _ = await run(tmp_path, timer("0 */10 * * * *"), "2026-01-01T00:03:00", enough=1)
        assert times(calls) == ["2026-01-01T00:10:00"]
        assert "cannot be read as a timer's status" in caplog.text
