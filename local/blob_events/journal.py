"""Read the journal of blob changes that the local Azurite writes, as it grows.

It is a folder of numbered segments with one JSON line per change. The reader keeps a position and
deletes the segments before it once that position is safely stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.02
_SAFETY_SECONDS = 1.0
_LINES_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Position:
    """The first byte that is not read yet."""

    segment: int = 0
    offset: int = 0


class Journal:
    """One journal folder; it may appear after its reader."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._watch: int | None = None
        self._grown = asyncio.Event()

    def read(self, position: Position) -> tuple[list[bytes], Position]:
        """Some lines from `position` on, and where they end; none when there is nothing new."""
        segments = self._segments()
        for number in segments:
            if number < position.segment:
                continue
            start = position.offset if number == position.segment else 0
            is_last = number == segments[-1]
            lines, end = self._read_segment(number, start)
            if lines or is_last:
                return lines, Position(segment=number, offset=end)
        return [], position

    def forget_before(self, position: Position) -> None:
        """Delete the segments that have been read."""
        for number in self._segments():
            if number < position.segment:
                self._file(number).unlink(missing_ok=True)

    async def grown(self) -> None:
        """Wait until there may be something new: at once on Linux, else within milliseconds."""
        if self._watch is None:
            self._start_watching()
        if self._watch is None:
            await asyncio.sleep(_POLL_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            # Not wait_for(): before Python 3.12 that can lose a cancellation.
            async with asyncio.timeout(_SAFETY_SECONDS):
                await self._grown.wait()
        self._grown.clear()

    def close(self) -> None:
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch)
            os.close(self._watch)
            self._watch = None

    def _start_watching(self) -> None:
        """Have the kernel (inotify) tell about every change in the folder."""
        if sys.platform != "linux" or not self._folder.is_dir():
            return
        modified, created = 0x00000002, 0x00000100
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if watch < 0:
            return
        if libc.inotify_add_watch(watch, os.fsencode(self._folder), modified | created) < 0:
            os.close(watch)
            return
        self._watch = watch
        asyncio.get_running_loop().add_reader(watch, self._on_change, watch)

    def _on_change(self, watch: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(watch, 65536)
        self._grown.set()

    def _segments(self) -> list[int]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - names only, and often
        except FileNotFoundError:
            return []
        return sorted(int(name[:10]) for name in names if name.endswith(".jsonl"))

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:010}.jsonl"

    def _read_segment(self, number: int, start: int) -> tuple[list[bytes], int]:
        """Whole lines only: the last one may still be in the making, or be torn for ever."""
        lines: list[bytes] = []
        try:
            with self._file(number).open("rb") as file:
                file.seek(start)
                for raw in file:
                    if not raw.endswith(b"\n") or len(lines) >= _LINES_AT_ONCE:
                        break
                    start += len(raw)
                    lines.append(raw)
        except FileNotFoundError:
            return [], start
        return lines, start
