"""`python -m tests.infra.bicep`: check `infra/` and say what is wrong."""

from __future__ import annotations

import sys

from tests.infra.bicep.checking import check


def main() -> int:
    problems = check()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
