"""Route templates: what they match, what they give, which of several wins."""

from __future__ import annotations

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.functions_host.routes import compile_route
from local.process import LocalError

GUID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"


def match(template: str, path: str) -> dict[str, str] | None:
    return compile_route("", template, "f").match(path)


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("hello", "HELLO", {}),
        ("a/{x}", "a/b", {"x": "b"}),
        ("a/{x}", "a", None),
        ("a/{x}", "a/b/c", None),
        ("a/{x?}", "a", {}),
        ("a/{x?}", "a/b", {"x": "b"}),
        ("a/{x=7}", "a", {"x": "7"}),
        ("a/{*rest}", "a", {}),
        ("a/{*rest}", "a/b/c", {"rest": "b/c"}),
        ("{*route}", "", {}),
        ("{*route}", "a/b", {"route": "a/b"}),
        ("a/{x}.{y}", "a/b.c", {"x": "b", "y": "c"}),
        ("a/v{n:int}", "a/v2", {"n": "2"}),
        ("a/v{n:int}", "a/vx", None),
        ("{x:int}", "12", {"x": "12"}),
        ("{x:int}", "3000000000", None),
        ("{x:long}", "3000000000", {"x": "3000000000"}),
        ("{x:int?}", "", {}),
        ("{x:bool}", "True", {"x": "True"}),
        ("{x:bool}", "1", None),
        ("{x:guid}", GUID, {"x": GUID}),
        ("{x:guid}", "nope", None),
        ("{x:datetime}", "2026-01-02", {"x": "2026-01-02"}),
        ("{x:datetime}", "soon", None),
        ("{x:decimal}", "1.5", {"x": "1.5"}),
        ("{x:double}", "x", None),
        ("{x:alpha}", "abc", {"x": "abc"}),
        ("{x:alpha}", "ab1", None),
        ("{x:minlength(2)}", "a", None),
        ("{x:maxlength(2)}", "abc", None),
        ("{x:length(2,3)}", "abc", {"x": "abc"}),
        ("{x:length(2)}", "abc", None),
        ("{x:min(5)}", "4", None),
        ("{x:max(5)}", "6", None),
        ("{x:range(1,5)}", "3", {"x": "3"}),
        ("{x:int:min(2)}", "1", None),
        ("{x:regex(^v\\d+$)}", "v1", {"x": "v1"}),
        ("{x:regex(^v\\d+$)}", "1", None),
    ],
)  # fmt: skip
def test_templates(template: str, path: str, values: dict[str, str] | None) -> None:
    assert match(template, path) == values


@given(st.text(min_size=1).filter(lambda text: "/" not in text))
def test_a_value_comes_back_as_it_was(text: str) -> None:
    assert match("a/{x}", "a/" + quote(text, safe="")) == {"x": text}


@given(
    st.lists(st.text(string.ascii_letters + string.digits + "-_", min_size=1), min_size=1),
    st.text(string.ascii_lowercase, min_size=1),
)
def test_a_catch_all_takes_all(segments: list[str], name: str) -> None:
    assert match(f"{{*{name}}}", "/".join(segments)) == {name: "/".join(segments)}


def test_the_more_literal_comes_first() -> None:
    templates = ["{*rest}", "a/{x?}", "a/{x}", "a/{x:int}", "a/b"]
    routes = sorted((compile_route("api", t, "f") for t in templates), key=lambda r: r.rank)
    assert [r.template for r in routes] == [
        *("api/a/b", "api/a/{x:int}", "api/a/{x}", "api/a/{x?}", "api/{*rest}")
    ]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("a/{x", "has a brace without its partner"),
        ("{x}/{x}", "'x' appears twice"),
        ("{x:even}", "unknown constraint 'even'"),
        ("{x:min(abc)}", r"the constraint 'min\(abc\)' cannot be read"),
        ("{x:regex([)}", "cannot be read"),
    ],
)
def test_refusals(template: str, says: str) -> None:
    with pytest.raises(LocalError, match=says) as refused:
        match(template, "")
    assert "Function 'f'" in str(refused.value)
