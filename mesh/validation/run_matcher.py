"""Finds runs of good records in blocks that come in by standard input; runs as a process by itself.

It imports nothing but the standard library, so that it starts at once. Each question is two
sizes, an expression and a block; each answer is a size and the runs: start, end, start, end, ….
"""

from __future__ import annotations

import re
import struct
import sys
from array import array
from typing import BinaryIO

QUESTION = struct.Struct("<QQ")
ANSWER = struct.Struct("<Q")


def runs(expression: re.Pattern[bytes], block: bytes) -> array[int]:
    """Where runs of records start and end, trying again at each line that is in none."""
    found, at, size = array("Q"), 0, len(block)
    while at < size:
        match = expression.match(block, at)
        end = match.end() if match else at
        if end > at:
            found.extend((at, end))
            at = end
        else:
            at = block.find(b"\n", at) + 1 or size
    return found


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the questions end."""
    while len(head := questions.read(QUESTION.size)) == QUESTION.size:
        sizes = QUESTION.unpack(head)
        expression, block = (questions.read(size) for size in sizes)
        found = runs(re.compile(expression), block).tobytes()
        answers.write(ANSWER.pack(len(found)))
        answers.write(found)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
