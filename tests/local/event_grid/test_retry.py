"""The numbers of the retry schedule."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.event_grid import ManualClock
from local.event_grid.retry import delay_after, outcome_of_status, up_to_a_tenth_later
from tests.thorough import examples


@settings(max_examples=examples(100))
@given(attempts=st.integers(1, 40), status=st.sampled_from([404, 408, 429, 500, 503]))
def test_the_spread_never_shortens_a_delay(attempts: int, status: int) -> None:
    outcome = outcome_of_status(status, webhook=True)
    exact = delay_after(attempts, outcome, lambda delay: delay)
    assert exact >= outcome.minimum_wait
    assert exact <= delay_after(attempts, outcome, up_to_a_tenth_later) <= 1.1 * exact


@pytest.mark.asyncio
async def test_a_manual_clock_fires_timers_in_order_and_waits_for_their_work() -> None:
    clock, seen = ManualClock(start=0.0), []

    async def sleeper(until: float) -> None:
        await clock.sleep_until(until)
        clock.begin()
        await asyncio.sleep(0.01)
        seen.append((until, clock.now()))
        clock.end()

    sleepers = [asyncio.create_task(sleeper(until)) for until in (5.0, 3.0, 9.0)]
    await asyncio.sleep(0)
    clock.call_at(4.0, lambda: seen.append(("call", clock.now())))
    clock.call_at(4.5, lambda: seen.append("cancelled")).cancel()
    await clock.advance(6)
    assert seen == [(3.0, 3.0), ("call", 4.0), (5.0, 5.0)]
    assert clock.now() == 6.0
    await clock.advance(3)
    assert seen[-1] == (9.0, 9.0)
    await asyncio.gather(*sleepers)
