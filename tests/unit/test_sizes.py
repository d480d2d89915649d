"""A function fits a screen, a file a sitting: the ninth house rule of CONTRIBUTING.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCREEN, SITTING = 40, 300
FOLDERS = ("mesh", "handlers", "cli", "local", "scripts", "examples", "tests/chaos")


def bodies(text: str) -> Iterator[tuple[str, int]]:
    """Each function of a module, and the lines of its body without the docstring."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = ast.get_docstring(node) is not None
            first = node.body[1 if told and len(node.body) > 1 else 0]
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - first.lineno + 1


def too_large(text: str) -> list[str]:
    found = [f"{name}() has {lines} lines" for name, lines in bodies(text) if lines > SCREEN]
    lines = len(text.splitlines())
    return found + ([f"the file has {lines} lines"] if lines > SITTING else [])


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_fits_a_screen_and_a_file_a_sitting(folder):
    found = {
        str(path.relative_to(ROOT)): large
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (large := too_large(path.read_text(encoding="utf-8")))
    }

    assert found == {}


def test_what_is_too_large_is_found():
    longest = 'def f():\n    """Say why."""\n' + "    pass\n" * SCREEN

    assert too_large(longest) == []
    assert too_large(longest + "    pass\n") == ["f() has 41 lines"]
    assert too_large("\n" * (SITTING + 1)) == ["the file has 301 lines"]
