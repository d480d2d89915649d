"""Reading a journal that grows, is torn, and is cut into segments."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.blob_events.journal import Journal, Position
from tests.thorough import examples


def segment(folder: Path, number: int) -> Path:
    return folder / f"{number:010}.jsonl"


def read_all(journal: Journal, position: Position) -> tuple[list[int], Position]:
    found: list[int] = []
    while True:
        lines, end = journal.read(position)
        found += [json.loads(line)["n"] for line in lines]
        if not lines and end == position:
            return found, position
        position = end


@pytest.mark.asyncio
async def test_a_folder_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "later")
    assert journal.read(Position()) == ([], Position())
    await asyncio.wait_for(journal.grown(), 5)


@settings(max_examples=examples(100))
@given(
    lines=st.lists(st.integers(0, 10**6), max_size=30),
    cuts=st.sets(st.integers(0, 30)),
    torn=st.booleans(),
    steps=st.lists(st.integers(0, 400), max_size=10),
)
def test_every_whole_line_is_read_once_however_it_arrives(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[int],
    cuts: set[int],
    torn: bool,
    steps: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    contents: dict[int, bytes] = {1: b""}
    for index, number in enumerate(lines):
        if index in cuts:
            contents[len(contents) + 1] = b""
        contents[len(contents)] += json.dumps({"n": number}).encode() + b"\n"
    journal, position, found = Journal(folder), Position(), []
    remaining = [(number, content) for number, content in contents.items() if content]
    for number, content in remaining:
        sent = 0
        for step in (*steps, len(content)):
            with segment(folder, number).open("ab") as file:
                file.write(content[sent : sent + step])
            sent += step
            more, position = read_all(journal, position)
            found += more
        if torn and number != remaining[-1][0]:
            with segment(folder, number).open("ab") as file:
                file.write(b'{"n": 1')  # killed here
    more, position = read_all(journal, position)
    assert found + more == lines


def test_read_segments_are_deleted_and_the_current_one_is_kept(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        segment(tmp_path, number).write_text(f'{{"n": {number}}}\n')
    journal = Journal(tmp_path)
    found, position = read_all(journal, Position())
    journal.forget_before(position)
    assert found == [1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == [segment(tmp_path, 3).name]


def test_a_reader_whose_segments_are_gone_goes_on_with_the_oldest(tmp_path: Path) -> None:
    segment(tmp_path, 9).write_text('{"n": 9}\n')
    found, position = read_all(Journal(tmp_path), Position(segment=4, offset=1000))
    assert (found, position.segment) == ([9], 9)


@pytest.mark.asyncio
async def test_growth_is_noticed(tmp_path: Path) -> None:
    segment(tmp_path, 1).touch()
    journal = Journal(tmp_path)
    waiting = asyncio.create_task(journal.grown())
    await asyncio.sleep(0)
    segment(tmp_path, 1).write_text('{"n": 1}\n')
    await asyncio.wait_for(waiting, 5)
    assert read_all(journal, Position())[0] == [1]
    journal.close()
