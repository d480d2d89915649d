"""`scripts/chaos`: histories from seeds, and whether the promise held in each.

The same seed and number of files is the same history in memory; on processes it is the same
intention, for there the operating system has its say.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

MOST_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns 1 when the promise was broken."""
    options = _parser().parse_args(arguments)
    logging.disable(logging.WARNING)  # of what is done on purpose
    seeds = range(options.seed, options.seed + options.seeds)
    histories = _on_processes if options.processes else _in_memory
    started, happened, failed = time.monotonic(), Counter[str](), 0
    for seed, broken, counted in histories(seeds, options.files, options.workers):
        happened.update(counted)
        failed += bool(broken)
        for line in broken[:MOST_SHOWN]:
            print(f"seed {seed}: {line}", flush=True)
        if sys.stdout.isatty() and not broken:
            print(f"seed {seed} holds", end="\r", flush=True)
    seconds = time.monotonic() - started
    print(
        f"{len(seeds)} seeds x {options.files} files in {seconds:.0f} s "
        f"({happened['files'] * 60 / seconds:.0f} files a minute); "
        f"the promise was broken in {failed}"
    )
    print(", ".join(f"{count} {what}" for what, count in sorted(happened.items())))
    return int(failed > 0)


def _in_memory(
    seeds: range, files: int, workers: int
) -> Iterator[tuple[int, list[str], Counter[str]]]:
    # Not forked: the threads of an engine that this process has used would be missing there.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=fresh) as pool:
        yield from pool.map(_simulate, seeds, [files] * len(seeds))


def _simulate(seed: int, files: int) -> tuple[int, list[str], Counter[str]]:
    from tests.chaos.simulation import Simulation

    logging.disable(logging.WARNING)
    history = Simulation(seed=seed, files=files)
    return seed, history.run(), history.happened


def _on_processes(
    seeds: range, files: int, _workers: int
) -> Iterator[tuple[int, list[str], Counter[str]]]:
    from tests.chaos.faults import Proxy
    from tests.chaos.inboxes import Inboxes
    from tests.chaos.processes import Stack
    from tests.chaos.reality import Campaign

    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as state,
        Proxy(random.Random(seeds.start)) as proxy,
        Inboxes(chance=random.Random(seeds.start)) as inboxes,
        Stack(Path(state), proxy) as stack,
    ):
        campaign = Campaign(stack=stack, proxy=proxy, inboxes=inboxes)
        before = Counter[str]()
        for seed in seeds:
            broken = campaign.live(seed, files)
            counted = campaign.counted()
            yield seed, broken, counted - before
            before = counted
        campaign.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Random histories of files, duplicates, versions, kills, faults and disorder; "
        "then a checker that reads only storage and inboxes proves the promise. Exit code 1 when "
        "it was broken.",
    )
    parser.add_argument("--seeds", type=int, default=20, help="histories (default: %(default)s)")
    parser.add_argument("--files", type=int, default=100, help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first (default: %(default)s)")
    parser.add_argument(
        "--processes",
        action="store_true",
        help="on the processes of the local Azure, which are killed, instead of in memory",
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that simulate (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
