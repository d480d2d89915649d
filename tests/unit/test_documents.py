"""Documents are read strictly: what could mean two things is refused, and said where."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.documents import read_document
from mesh.documents.refusals import MAX_BYTES, MAX_DEPTH, MAX_VALUES, RULES
from mesh.model.findings import Finding

PRINTABLE = st.text(st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs")))
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTABLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(PRINTABLE.filter(lambda key: key != "<<"), PLAIN, max_size=5)


def read(text: str | bytes, name: str = "a.yaml") -> dict[str, Any]:
    found = read_document(name, text)
    assert isinstance(found, dict), found
    return found


def refused(text: str | bytes, name: str = "a.yaml") -> Finding:
    found = read_document(name, text)
    assert isinstance(found, Finding), found
    assert found.file == name
    assert found.remedy
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("NA", "NA"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("-7", -7),
        ("1_000", "1_000"),
        ("12:30:00", "12:30:00"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.0.0", "1.0.0"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ('"5"', "5"),
        ("'~'", "~"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("! 5", "5"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = read(f"a: {text}")["a"]

    assert found == value
    assert type(found) is type(value)


def test_keys_that_yaml_1_1_would_take_for_booleans_stay_text() -> None:
    assert read("no: 1\non: 2\ny: 3") == {"no": 1, "on": 2, "y": 3}


def test_an_alias_gives_a_copy_and_not_the_same_object() -> None:
    found = read("a: &x {b: []}\nc: *x")

    found["a"]["b"].append(1)

    assert found["c"] == {"b": []}


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_byte_order_mark_is_dropped(name: str) -> None:
    assert read(b'\xef\xbb\xbf{"a": 1}', name) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "rule", "path", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2", "duplicate-key", "/b/c", "The key 'c' at line 4, column 3"),
        ("a: 1\n---\nb: 2", "several", "", "A second document starts at line 2, column 1."),
        ("- a\n- b", "not-an-object", "", "The document is a list, not an object with keys."),
        ("# nothing", "not-an-object", "", "The document is empty, not an object with keys."),
        ("text", "not-an-object", "", "The document is a single value, not an object with keys."),
        ("a: 'x", "syntax", "", "Found unexpected end of stream at line 1, column 6."),
        ("a: b: c", "syntax", "", "Mapping values are not allowed in this context at line 1"),
        ("a: \x00", "syntax", "", "Character #x0000 at line 1, column 4 is not allowed in YAML."),
        ("é: x\né: \x1f", "syntax", "", "Character #x001f at line 2, column 4 is not allowed"),
        ("a: 1\nb: *x", "syntax", "/b", "*x at line 2, column 4 repeats nothing"),
        ("a: &x [*x]", "syntax", "/a/0", "*x at line 1, column 8 repeats nothing"),
        ("a: !!int x", "syntax", "/a", "'x' at line 1, column 4 is not of the type int"),
        ("a: !!python/name:os.system x", "unsupported", "/a", "python/name:os.system at line 1"),
        ("a: !!set {x}", "unsupported", "/a", "The tag tag:yaml.org,2002:set at line 1, column 4"),
        ("a: {<<: {b: 1}}", "unsupported", "/a", "The merge key << at line 1, column 5"),
        ("1: a", "key-not-text", "", "The value '1' at line 1, column 1 stands for a key"),
        ("true: a", "key-not-text", "", "The value 'true' at line 1, column 1 stands for a key"),
        ("? [a]\n: b", "key-not-text", "", "A list or an object at line 1, column 3"),
        ("a: &x b\n*x : c", "key-not-text", "", "An alias at line 2, column 1 stands for a key"),
        ("a: [1, .inf]", "not-json", "/a/1", "The number .inf at line 1, column 8 cannot be held"),
        ("a: -.INF", "not-json", "/a", "The number -.INF at line 1, column 4 cannot be held"),
        ("a: .nan", "not-json", "/a", "The number .nan at line 1, column 4 cannot be held"),
        ("a: 1e999", "not-json", "/a", "The number 1e999 at line 1, column 4 cannot be held"),
        (f"a: {'9' * 5000}", "not-json", "/a", "An integer of thousands of digits at line 1"),
    ],
)
def test_yaml_that_is_refused(text: str, rule: str, path: str, message: str) -> None:
    found = refused(text)

    assert (found.rule, found.path) == (f"document.{rule}", path)
    assert message in found.message


@pytest.mark.parametrize(
    ("text", "rule", "path", "message"),
    [
        ('{"a": 1,\n "a": 2}', "duplicate-key", "", "The key 'a' at line 2, column 2"),
        ('{"\\u0061": 1, "a": 2}', "duplicate-key", "", "The key 'a' at line 1, column 15"),
        ('{"a" 1}', "syntax", "", "Expecting ':' delimiter at line 1, column 6."),
        ('{"a": 1} {}', "syntax", "", "Extra data at line 1, column 10."),
        ('{"a": "\\q": 1}', "syntax", "", "Invalid \\escape at line 1, column 8."),
        ('{"a": NaN}', "not-json", "", "The number NaN cannot be held by JSON."),
        ('{"a": [1e999]}', "not-json", "/a/0", "beyond the range of double precision"),
        ('{"a": {"b/c": "\\ud800"}}', "not-json", "/a/b~1c", "half of a surrogate pair"),
        ('{"\\udc00": 1}', "not-json", "", "half of a surrogate pair"),
        (f'{{"a": {"9" * 5000}}}', "not-json", "", "An integer of thousands of digits"),
        ("", "not-an-object", "", "The document is empty"),
        ("[]", "not-an-object", "", "The document is a list"),
    ],
)
def test_json_that_is_refused(text: str, rule: str, path: str, message: str) -> None:
    found = refused(text, "a.json")

    assert (found.rule, found.path) == (f"document.{rule}", path)
    assert message in found.message


def test_the_same_key_in_two_objects_is_no_duplicate() -> None:
    text = '{"a": {"x": 1, "y": "}"}, "b": [{"x": 1}, {"x": "\\"a\\":"}]}'

    assert read(text, "a.json") == json.loads(text)


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
class TestBounds:
    def test_encoding(self, name: str) -> None:
        found = refused('{"a": "x",\n "b": "é"}'.encode("latin-1"), name)

        assert found.rule == "document.not-utf-8"
        assert found.message == "The file is not UTF-8 at line 2, column 8."

    def test_text_that_cannot_be_encoded(self, name: str) -> None:
        assert refused('{"a": "\ud800"}', name).rule == "document.not-utf-8"

    def test_size(self, name: str) -> None:
        room = MAX_BYTES - len('{"a": ""}')
        assert read(f'{{"a": "{"x" * room}"}}', name)["a"]

        found = refused(f'{{"a": "{"x" * (room + 1)}"}}', name)

        assert found.rule == "document.too-large"
        assert str(MAX_BYTES + 1) in found.message

    def test_depth(self, name: str) -> None:
        inner = MAX_DEPTH - 1
        assert read('{"a": ' + "[" * inner + "]" * inner + "}", name)

        found = refused('{"a": ' + "[" * (inner + 1) + "]" * (inner + 1) + "}", name)

        assert found.rule == "document.too-deep"
        assert "line 1, column" in found.message

    def test_endless_depth(self, name: str) -> None:
        assert refused('{"a": ' + "[" * 500_000, name).rule == "document.too-deep"

    def test_values(self, name: str) -> None:
        found = refused('{"a": [' + "1," * MAX_VALUES + "1]}", name)

        assert found.rule == "document.too-many-values"


def test_a_billion_laughs_are_refused_before_they_are_written_out() -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(20)]

    assert refused("\n".join(lines)).rule == "document.too-many-values"


def test_aliases_cannot_build_a_deep_document() -> None:
    lines = ["a0: &a0 []"]
    lines += [f"a{n + 1}: &a{n + 1} [*a{n}]" for n in range(MAX_DEPTH)]

    assert refused("\n".join(lines)).rule == "document.too-deep"


@given(OBJECTS)
def test_json_comes_back_as_it_went(value: dict[str, Any]) -> None:
    assert read(json.dumps(value), "a.json") == value


@given(OBJECTS)
def test_json_read_as_yaml_means_the_same(value: dict[str, Any]) -> None:
    assert read(json.dumps(value, ensure_ascii=False)) == value


@given(st.binary() | st.text())
def test_whatever_comes_is_read_or_refused(data: bytes | str) -> None:
    for name in ("a.yaml", "a.json"):
        found = read_document(name, data)
        if isinstance(found, Finding):
            assert found.rule in RULES
        else:
            json.dumps(found, allow_nan=False).encode()


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                ":",
                " ",
                "\n",
                "- ",
                "{",
                "}",
                "[",
                "]",
                ",",
                "&a ",
                "*a",
                "? ",
                "!!str ",
                '"',
                "'",
                "|",
                ">",
                "#",
                "<<",
                "---",
                "...",
                "1",
            ]
        )
    )
)
def test_whatever_looks_like_yaml_is_read_or_refused(parts: list[str]) -> None:
    found = read_document("a.yaml", "".join(parts))

    assert isinstance(found, dict) or found.rule in RULES
