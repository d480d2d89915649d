"""The promise on processes that are killed, and by a file; and a bug there that is found."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesh.model.names import ProductId
from tests.chaos.faults import Proxy
from tests.chaos.inboxes import Inboxes
from tests.chaos.processes import ROOT, Part, Stack
from tests.chaos.reality import Campaign

GOOD = b"code,name,area\nCH,Switzerland,41285\nNA,Namibia,\n"


@contextmanager
def campaign(state: Path, *, app: Path = ROOT) -> Iterator[Campaign]:
    with (
        Proxy(random.Random(1)) as proxy,
        Inboxes(chance=random.Random(1)) as inboxes,
        Stack(state, proxy, app=app) as stack,
    ):
        made = Campaign(stack=stack, proxy=proxy, inboxes=inboxes)
        try:
            yield made
        finally:
            made.close()


def test_the_promise_holds_on_processes_that_are_killed(tmp_path: Path) -> None:
    with campaign(tmp_path) as history:
        assert history.live(seed=1, files=12) == []
        assert sum(part.kills for part in history.stack.parts)


@contextmanager
def supervised(part: Part) -> Iterator[list[int]]:
    """Start a part again whenever it ends, as Azure does; yields how often that was."""
    over, deaths = threading.Event(), [0]

    def supervise() -> None:
        while not over.wait(0.1):
            if part.is_dead():
                deaths[0] += 1
                part.start()

    thread = threading.Thread(target=supervise)
    thread.start()
    try:
        yield deaths
    finally:
        over.set()
        thread.join()


def test_a_deadly_file_is_quarantined_and_a_bug_is_seen_on_processes(tmp_path: Path) -> None:
    product = ProductId(domain="geography", product="countries")
    place = f"{product}/v1/countries"
    with (
        campaign(tmp_path, app=Path(__file__).parent / "buggy_app") as history,
        supervised(history.stack.host) as deaths,
    ):
        history.onboard(product, split=False)
        history.subscribe(product, "steady")
        history.drop(f"{place}/deadly.csv", GOOD, product)
        history.drop(f"{place}/mild.csv", GOOD, product)
        history.come_to_rest()
        evidence = history.evidence()

        found = {entry["file"]: entry for entry in evidence.ledger["geography.countries"]}
        assert deaths == [2], found
        assert found["deadly.csv"]["verdict"] == "rejected"
        assert b'"rule":"poison"' in evidence.blob(found["deadly.csv"]["receipt"])
        assert found["mild.csv"]["verdict"] == "accepted"
        history.stack.host.kills = deaths[0]
        assert history.broken() == []

        history.drop(f"{place}/hasty.csv", GOOD, product)
        history.come_to_rest()
        assert deaths == [3]
        assert any("was published, and the record has it otherwise" in b for b in history.broken())
