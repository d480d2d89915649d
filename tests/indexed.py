"""The app's functions, indexed once."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def functions() -> tuple[Any, ...]:
    """Every function of the real app; an app refuses to be indexed twice in one process."""
    from function_app import app

    return tuple(app.get_functions())
