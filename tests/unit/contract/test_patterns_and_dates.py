"""ECMA-262 patterns and Java's date layouts, where Python would say something else."""

from __future__ import annotations

import pytest

from mesh.model.ecma_pattern import UnsupportedPatternError, compile_pattern
from mesh.model.jdk_dates import UnsupportedLayoutError, layout_expression, parse


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"^\d+$", "12", True),
        (r"^\d+$", "12\n", False),
        (r"^\d+$", "\u0661", False),
        (r"^\w$", "é", False),
        (r"^\s$", "\ufeff", True),
        (r"^\S$", "\x85", True),
        (r"^.$", "\r", False),
        (r"^.$", "😀", True),
        (r"^[^]$", "\n", True),
        (r"^[]$", "a", False),
        (r"\bé", "é", False),
        (r"[\b]", "\b", True),
        (r"\cJ", "\n", True),
        (r"\x41\u0042\u{43}", "ABC", True),
        (r"^\ud83d\ude00$", "😀", True),
        (r"(?<year>\d{4})", "2026", True),
        (r"^\p{Lu}\P{L}$", "É1", True),
        (r"^\p{gc=Nd}$", "٣", True),
        (r"^[\p{L}-]+$", "é-a", True),
        (r"^[a&&b||c~~d]+$", "&|~", True),
        (r"^[[]$", "[", True),
        (r"^\-\_$", "-_", True),
        (r"^{}$", "{}", True),
        (r"^a{2}?$", "aa", True),
        (r"^(?=a)(?!ab)a.(?<=c)(?<!d)$", "ac", True),
    ],
)
def test_a_pattern_means_what_ecma_262_means(pattern: str, text: str, matches: bool) -> None:
    assert (compile_pattern(pattern).search(text) is not None) is matches


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a++", "nothing to repeat"),
        ("(?i)a", "is not ECMA-262"),
        (r"(a)\1", "a back reference"),
        (r"\k<a>", "a back reference"),
        ("[a", "a character class is not closed"),
        ("(a", "a group is not closed"),
        ("a)", "an unmatched closing parenthesis"),
        (r"\p{Foo}", "is not a general category"),
        (r"\p{Script=Latin}", "other than a general category"),
        (r"\z", "is not an escape"),
        (r"\01", "an octal escape"),
        (r"\x4", "an incomplete"),
        (r"\u{110000}", "beyond Unicode"),
        ("(?<é>a)", "not an ASCII identifier"),
        ("(?<=a+)b", "fixed-width"),
        ("a{3,2}", "min repeat greater"),
        ("\\", "is not an escape"),
        (r"[\d-x]", "a class at one end"),
    ],
)
def test_what_has_no_exact_counterpart_is_named(pattern: str, reason: str) -> None:
    with pytest.raises(UnsupportedPatternError, match=reason):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("layout", "text", "iso"),
    [
        ("dd/MM/yyyy", "31/12/2020", "2020-12-31T00:00:00Z"),
        ("d.M.yy", "1.2.26", "2026-02-01T00:00:00Z"),
        ("yyyyMMdd", "20240229", "2024-02-29T00:00:00Z"),
        ("yyyyDDD", "2024366", "2024-12-31T00:00:00Z"),
        ("EEE, d MMM yyyy", "Sun, 1 Nov 2026", "2026-11-01T00:00:00Z"),
        ("EEEE d MMMM yyyy", "Sunday 1 November 2026", "2026-11-01T00:00:00Z"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2020-01-01T00:00:00+01:00", "2019-12-31T23:00:00Z"),
        ("yyyy-MM-dd HH:mm:ss.SSS Z", "2020-01-01 00:00:00.000 -0130", "2020-01-01T01:30:00Z"),
        ("yyyy-MM-dd hh 'o''clock' a", "2020-01-01 12 o'clock AM", "2020-01-01T00:00:00Z"),
        ("yyyy-MM-dd KK a", "2020-01-01 11 PM", "2020-01-01T23:00:00Z"),
        ("yyyy-MM-dd kk", "2020-01-01 24", "2020-01-01T00:00:00Z"),
        ("yyyy-MM-dd[ HH:mm]", "2020-01-01", "2020-01-01T00:00:00Z"),
        ("yyyy-MM-dd[ HH:mm]", "2020-01-01 10:20", "2020-01-01T10:20:00Z"),
    ],
)
def test_a_layout_is_read_as_java_writes_it(layout: str, text: str, iso: str) -> None:
    assert parse(text, layout) == parse(iso, "yyyy-MM-dd'T'HH:mm:ssX")


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("dd/MM/yyyy", "31/04/2020"),
        ("dd/MM/yyyy", "1/04/2020"),
        ("dd/MM/yyyy", "01/04/2020 "),
        ("yyyyDDD", "2023366"),
        ("EEE d MMM yyyy", "Mon 1 Nov 2026"),
        ("HH:mm", "24:00"),
        ("yyyy", "0000"),
        ("yyyy", "٢٠٢٦"),
        ("XXX", "+19:00"),
    ],
)
def test_what_is_not_in_the_layout_or_the_calendar_is_none(layout: str, text: str) -> None:
    assert parse(text, layout) is None


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ("YYYY", "'YYYY' is not a field"),
        ("yyyy-MM-dd VV", "'VV' is not a field"),
        ("MM MM", "says the same thing twice"),
        ("yyyy 'x", "is not a part of a date layout"),
        ("yyyy[", "not closed"),
        ("yyyy#", "is not a part"),
    ],
)
def test_what_a_layout_cannot_say_is_named(layout: str, reason: str) -> None:
    with pytest.raises(UnsupportedLayoutError, match=reason):
        layout_expression(layout)


def test_fractions_are_compared_exactly() -> None:
    layout = "HH:mm:ss.SSS"
    early, late = parse("10:00:00.100", layout), parse("10:00:00.101", layout)
    assert early
    assert late
    assert early < late
