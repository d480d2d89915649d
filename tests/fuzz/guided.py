"""One target, fuzzed until its time is over: `python -m tests.fuzz.guided TARGET SECONDS`.

It needs atheris, which `scripts/fuzz` puts into an environment of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

KEPT = Path(".local/fuzz-corpus")
_MOST_BYTES = 2048
_SLOW_S = 20
_MOST_MB = 2048


def main(name: str, seconds: str) -> None:
    """Never returns: the fuzzer ends the process, with 0 when nothing crashed."""
    import atheris

    with atheris.instrument_imports(include=["mesh"]):
        from tests.fuzz.targets import targets

        target = targets()[name]
        for seed in target.seeds:
            target.run(seed)  # loads what it needs
    folder = KEPT / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    longest = max(_MOST_BYTES, *map(len, target.seeds))
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={longest}",
        f"-timeout={_SLOW_S}",
        f"-rss_limit_mb={_MOST_MB}",
        f"-artifact_prefix={folder}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
