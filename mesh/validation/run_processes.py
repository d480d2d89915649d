"""Processes that look for runs of good records with `re`, each with an interpreter of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mesh.validation import run_matcher
from mesh.validation.line_keys import KeyQuestion
from mesh.validation.run_finders import Expressions, Found, FoundRuns
from mesh.validation.run_matcher import ANSWER, QUESTION


class RunProcesses:
    """Processes, each with a thread that talks to it.

    They are plain `python -I -S` with a stdlib program: no fork beside threads, no second import
    of the app.
    """

    block = 0

    def __init__(self, processes: int) -> None:
        self._count = processes
        self._open: list[tuple[subprocess.Popen[bytes], ThreadPoolExecutor]] = []
        self._next = 0

    @property
    def depth(self) -> int:
        """How many blocks should be under way."""
        return self._count + 2

    def close(self) -> None:
        """End the processes: what they do is of no use any more."""
        for process, thread in self._open:
            process.kill()
            thread.shutdown(wait=True, cancel_futures=True)
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()
            process.wait()

    def ask(
        self,
        expressions: Expressions,
        keys: tuple[KeyQuestion, ...],  # noqa: ARG002 - left to the reader
        block: bytes,
    ) -> FoundRuns:
        """Have one of them look at a block."""
        if not self._open:
            self._start()
        process, thread = self._open[self._next]
        self._next = (self._next + 1) % len(self._open)
        answer = thread.submit(_asked, process, expressions.run.pattern, block)
        return FoundRuns(expressions.run, block, answer)

    def _start(self) -> None:
        for _ in range(self._count):
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(run_matcher.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            self._open.append((process, ThreadPoolExecutor(1, thread_name_prefix="runs")))


def _asked(process: subprocess.Popen[bytes], expression: bytes, block: bytes) -> Found:
    assert process.stdin
    assert process.stdout
    for part in (QUESTION.pack(len(expression), len(block)), expression, block):
        process.stdin.write(part)
    process.stdin.flush()
    head = process.stdout.read(ANSWER.size)
    if len(head) < ANSWER.size:
        raise OSError("The process that looks for runs has ended.")
    found = array("Q")
    found.frombytes(process.stdout.read(ANSWER.unpack(head)[0]))
    return Found(bounds=found)
