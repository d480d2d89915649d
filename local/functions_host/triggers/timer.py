"""Timer functions: one listener each, with the status that survives a restart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from azure.functions.meta import Datum
from tzlocal import get_localzone

from local.functions_host.context import Retry
from local.functions_host.indexing import IndexedFunction
from local.functions_host.invocation import Call, InvocationFailedError, Invoker, failed_retry
from local.functions_host.schedules import Schedule, is_monitored, parse_schedule
from local.process import LocalError

_log = logging.getLogger("Host.Triggers.Timer")
_NEVER = "0001-01-01T00:00:00"
_LONGEST_SLEEP = timedelta(days=1).total_seconds()

Sleep = Callable[[float], Any]


def time_zone(environ: Mapping[str, str] = os.environ) -> tzinfo:
    """The zone of schedules: `WEBSITE_TIME_ZONE` if set, else the machine's.

    Raises:
        LocalError: `WEBSITE_TIME_ZONE` names no IANA zone.
    """
    name = environ.get("WEBSITE_TIME_ZONE")
    if not name:
        zone: tzinfo = get_localzone()
        return zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise LocalError(
            f"WEBSITE_TIME_ZONE '{name}' is no IANA time zone; write for example Europe/Madrid."
        ) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """When a schedule last ran and runs next; `last` is None before the first run."""

    last: datetime | None
    next: datetime
    updated: datetime | None

    def as_json(self) -> dict[str, str]:
        return {
            "Last": self.last.isoformat() if self.last else _NEVER,
            "Next": self.next.isoformat(),
            "LastUpdated": self.updated.isoformat() if self.updated else _NEVER,
        }


class StatusFile:
    """A status in the state folder, in the form the host writes to its storage."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, zone: tzinfo) -> Status | None:
        """Read the stored status; None where there is none or it cannot be read."""
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            following = datetime.fromisoformat(stored["Next"]).astimezone(zone)
            return Status(
                last=_moment(stored["Last"], zone),
                next=following,
                updated=_moment(stored["LastUpdated"], zone),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as broken:
            _log.warning(
                "%s: ignored, it cannot be read as a timer's status: %s", self._path, broken
            )
            return None

    def write(self, status: Status) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(status.as_json()), encoding="utf-8")
        temporary.replace(self._path)


class TimerListener:
    """Runs one timer function on its schedule; runs never overlap."""

    def __init__(
        self,
        function: IndexedFunction,
        invoker: Invoker,
        state: Path,
        *,
        zone: tzinfo | None = None,
        clock: Callable[[tzinfo], datetime] = datetime.now,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._zone = zone or time_zone()
        self._clock = clock
        self._sleep = sleep
        trigger = function.trigger
        self._schedule: Schedule = parse_schedule(trigger.text("schedule"), function.name)
        self._run_on_startup = trigger.flag("runOnStartup")
        monitored = trigger.flag("useMonitor", default=True) and is_monitored(
            self._schedule, self._now()
        )
        path = state / "timers" / f"{function.name}.json"
        self._file = StatusFile(path) if monitored else None

    async def start(self) -> None:
        """Nothing to open."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set: first what was missed or `runOnStartup`, then the schedule."""
        status, is_past_due = self._initial_status()
        if is_past_due:
            _log.info("Function '%s' is past due on startup. Executing now.", self._function.name)
            status = await self._fire(status, is_past_due=True)
        elif self._run_on_startup:
            status = await self._fire(status, adjust=False)
        while await self._wait(status.next, stop):
            status = await self._fire(status)

    async def close(self) -> None:
        """Nothing to close."""

    async def trigger_once(self, text: str, reason: str) -> None:  # noqa: ARG002 (a timer has no input)
        """Run now, off the schedule."""
        stored = self._file.read(self._zone) if self._file else None
        await self._invoke(stored, is_past_due=False, reason=reason)

    def _initial_status(self) -> tuple[Status, bool]:
        now = self._now()
        fresh = Status(last=None, next=self._schedule.next_after(now), updated=None)
        if self._file is None:
            return fresh, False
        stored = self._file.read(self._zone)
        if stored is None:
            status = Status(last=None, next=fresh.next, updated=now)
        else:
            status = self._after_schedule_change(stored, now)
        if status != stored:
            self._file.write(status)
        return status, now > status.next

    def _after_schedule_change(self, stored: Status, now: datetime) -> Status:
        """Forget a stored plan that the present schedule would not have made."""
        since = stored.updated or stored.last or now
        expected = self._schedule.next_after(since)
        if expected == stored.next:
            return stored
        if now > expected:
            expected, since = self._schedule.next_after(now), now
        return Status(last=None, next=expected, updated=since)

    async def _wait(self, moment: datetime, stop: asyncio.Event) -> bool:
        while not stop.is_set():
            seconds = (moment - self._now()).total_seconds()
            if seconds <= 0:
                return True
            waiting = asyncio.ensure_future(self._sleep(min(seconds, _LONGEST_SLEEP)))
            stopping = asyncio.ensure_future(stop.wait())
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (waiting, stopping):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        return False

    async def _fire(
        self, status: Status, *, is_past_due: bool = False, adjust: bool = True
    ) -> Status:
        started = self._now()
        await self._invoke(
            status, is_past_due=is_past_due, reason=f"Timer fired at {started.isoformat()}"
        )
        # A timer that fires a little early must not plan the same occurrence again.
        counted = max(started, status.next) if adjust and not is_past_due else started
        planned = Status(last=counted, next=self._schedule.next_after(counted), updated=counted)
        if self._file is not None:
            self._file.write(planned)
        return planned

    async def _invoke(self, status: Status | None, *, is_past_due: bool, reason: str) -> None:
        information = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status.as_json() if status and self._file else None,
            "IsPastDue": is_past_due,
        }
        policy, retry = self._function.retry, Retry()
        if policy is not None:
            retry = Retry(maximum=policy.max_count)
        while True:
            call = Call(
                data=Datum(json.dumps(information), "json"),
                metadata={},
                reason=reason,
                retry=retry,
            )
            try:
                await self._invoker.invoke(self._function, call)
            except InvocationFailedError as failed:
                if policy is None or not policy.allows(retry.count):
                    return  # logged; a failure does not stop the schedule
                await self._sleep(policy.delay(retry.count).total_seconds())
                retry = failed_retry(retry, failed.__cause__ or failed, policy.max_count)
            else:
                return

    def _now(self) -> datetime:
        return self._clock(self._zone)


def _moment(text: str, zone: tzinfo) -> datetime | None:
    return None if text == _NEVER else datetime.fromisoformat(text).astimezone(zone)
