"""The SQL of rules: grammar, three-valued logic, conversions, actions."""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.service_bus.core.message import Changes, Content
from local.service_bus.core.sql import (
    CompiledAction,
    CompiledFilter,
    SqlEvaluationError,
    SqlSyntaxError,
)

MESSAGE = Content(
    message_id="id-1",
    session_id="session",
    correlation_id="c",
    subject="airport",
    to="t",
    reply_to="r",
    reply_to_session_id="rs",
    content_type="text/csv",
    partition_key="p",
    time_to_live=30.0,
    size=7,
    user={
        "n": 5,
        "f": 2.5,
        "s": "abc",
        "yes": True,
        "no": False,
        "null": None,
        "HR-Id": "x",
        "Contoso & Co": 1,
        "a]b": 1,
        "guid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
        "at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "negative": -7,
        "percent": "100%_",
    },
)


def _matches(expression: str, **parameters: Any) -> bool:
    return CompiledFilter(expression, parameters).matches(MESSAGE)


TRUE = [
    "1=1",
    "TRUE",
    "yes",
    "n = 5",
    "N = 5",
    "user.n = 5",
    "n <> 4",
    "n != 4",
    "n > 4 AND n >= 5 AND n < 6 AND n <= 5",
    "n > 4.5",
    "f = 2.5",
    "f = 25E-1",
    ".5 < f",
    "s = 'abc'",
    "s <> 'ABC'",
    "s > 'abb'",
    "s = 'a' + 'bc'",
    "s + n = 'abc5'",
    "n + 1 = 6",
    "n - 1 * 2 = 3",
    "(n - 1) * 2 = 8",
    "n / 2 = 2",
    "n / 2.0 = 2.5",
    "negative / 2 = -3",
    "negative % 4 = -3",
    "-negative = 7",
    "+n = 5",
    "- - n = 5",
    "n % 3 = 2",
    "f % 2 = 0.5",
    "s IN ('x', 'abc')",
    "s NOT IN ('x', 'y')",
    "n IN (1, 2 + 3)",
    "s LIKE 'a%'",
    "s LIKE '_b_'",
    "s LIKE '%'",
    "s NOT LIKE 'b%'",
    "s NOT LIKE 'A%'",
    r"percent LIKE '100\%\_' ESCAPE '\'",
    r"s NOT LIKE '100\%' ESCAPE '\'",
    "missing IS NULL",
    "[null] IS NULL",
    "n IS NOT NULL",
    "EXISTS(n)",
    "EXISTS([null])",
    "NOT EXISTS(missing)",
    "EXISTS(sys.Label)",
    "NOT no",
    "NOT NOT yes",
    "NOT n = 4",
    "yes = TRUE AND no = FALSE",
    "[HR-Id] = 'x'",
    '"Contoso & Co" = 1',
    "[a]]b] = 1",
    "'it''s' = 'it''s'",
    "sys.Label = 'airport'",
    "sys.subject = 'airport'",
    "sys.MessageId = 'id-1' AND sys.SessionId = 'session' AND sys.CorrelationId = 'c'",
    "sys.To = 't' AND sys.ReplyTo = 'r' AND sys.ReplyToSessionId = 'rs'",
    "sys.ContentType LIKE 'text/%' AND sys.PartitionKey = 'p'",
    "sys.TimeToLive = 30 AND sys.Size = 7",
    "sys.ScheduledEnqueueTimeUtc IS NULL",
    "property('n') = 5",
    "p('HR-' + 'Id') = 'x'",
    "newid() <> newid()",
    "guid = '12345678-1234-5678-1234-567812345678'",
    "n = 1 OR n = 5",
    "n = 1 OR missing = 1 OR n = 5",
    "n = 1 AND missing = 1 OR n = 5",
    "n = 5 OR n = 1 AND n = 2",
    "NOT (n = 1 OR n = 2)",
    "9223372036854775807 > n",
]

NOT_TRUE = [
    "FALSE",
    "no",
    "n = 4",
    "missing = 1",
    "missing <> 1",
    "NOT missing = 1",
    "missing = missing",
    "[null] = NULL",
    "n = NULL",
    "missing + 1 = 1",
    "-missing = 1",
    "missing IN (1, 2)",
    "missing NOT IN (1, 2)",
    "n NOT IN (1, missing)",
    "missing LIKE '%'",
    "missing NOT LIKE 'x'",
    "n LIKE '5'",
    "s LIKE 'A%'",
    "s LIKE missing",
    "EXISTS(missing)",
    "n = 'abc'",
    "n <> 'abc'",
    "yes > no",
    "yes = 1",
    "n",
    "s",
    "p(missing) = 1",
    "n = 5 AND missing = 1",
    "NOT (n = 1 OR missing = 1)",
    "guid = 'no guid'",
]


@pytest.mark.parametrize("expression", TRUE)
def test_true_expressions_match(expression: str) -> None:
    assert _matches(expression)


@pytest.mark.parametrize("expression", NOT_TRUE)
def test_false_and_unknown_expressions_do_not_match(expression: str) -> None:
    assert not _matches(expression)


def test_parameters_are_named_with_or_without_at_sign() -> None:
    assert CompiledFilter("n = @N AND s = @s", {"@n": 5, "s": "abc"}).matches(MESSAGE)
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert _matches("at > @at", at=at)
    with pytest.raises(SqlEvaluationError, match="the parameter @gone has no value"):
        _matches("n = @gone")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("sys.Nothing = 1", "sys.Nothing is no property that filters can read"),
        ("1 / 0 = 1", "division by zero"),
        ("1 % 0 = 1", "division by zero"),
        ("9223372036854775807 + 1 = 0", "does not fit 64 bits"),
        ("s * 2 = 1", r"'\*' takes numbers"),
        ("yes + 1 = 2", r"'\+' takes numbers"),
        ("-s = 1", "'-' takes a number"),
        ("s LIKE 5", "LIKE takes strings"),
        ("s LIKE 'a' ESCAPE 'ab'", "ESCAPE takes one character"),
    ],
)
def test_what_cannot_be_evaluated_says_why(expression: str, message: str) -> None:
    with pytest.raises(SqlEvaluationError, match=message):
        _matches(expression)


def test_doubles_divide_by_zero_into_infinity() -> None:
    assert _matches("1.0 / 0 > 1E308")
    assert _matches("-1.0 / 0 < -1E308")
    assert not _matches("0.0 / 0 = 0.0 / 0")
    assert not _matches("1.0 % 0 = 0")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "character 1 of ``: end of expression where a property"),
        ("a = ", "end of expression where a property, a value or '\\(' was expected"),
        ("a = = 1", "character 5 of `a = = 1`: '=' where"),
        ("a = 'open", "character 5 of `a = 'open`: unexpected character or unfinished"),
        ("a ! 1", "character 3"),
        ("a = 1 b", "'b' where an operator or the end was expected"),
        ("(a = 1", "where '\\)' was expected"),
        ("a IN ()", "'\\)' where a property"),
        ("a IS 5", "'5' where NULL was expected"),
        ("foo.bar = 1", "the scope of a property is 'sys' or 'user', not 'foo'"),
        ("nothing(1) = 1", "where newid\\(\\), property\\(name\\) or p\\(name\\) was expected"),
        ("and = 1", "'and' where a property"),
        ("99999999999999999999 = a", "the integer does not fit 64 bits"),
        ("(" * 200 + "a" + ")" * 200, "nests too deeply"),
    ],
)
def test_syntax_errors_show_where(expression: str, message: str) -> None:
    with pytest.raises(SqlSyntaxError, match=message):
        CompiledFilter(expression)


def test_a_long_expression_is_shown_in_part() -> None:
    with pytest.raises(SqlSyntaxError) as refused:
        CompiledFilter("a = 1 AND " * 50)
    assert len(str(refused.value)) < 250


# Actions


@pytest.mark.parametrize(
    ("expression", "changes"),
    [
        ("SET n = n + 1", Changes(user={"n": 6})),
        ("SET N = 6", Changes(user={"n": 6})),
        ("SET new = 'x'; SET other = new + 'y';", Changes(user={"new": "x", "other": "xy"})),
        ("SET a = 1, SET b = 2", Changes(user={"a": 1, "b": 2})),
        ("REMOVE n", Changes(removed=frozenset({"n"}))),
        ("REMOVE missing", Changes(removed=frozenset({"missing"}))),
        ("SET n = 1 REMOVE n SET n = 2", Changes(user={"n": 2})),
        ("SET sys.Label = 'x' + n", Changes(system={"subject": "x5"})),
        ("SET sys.To = 5", Changes(system={"to": "5"})),
        ("REMOVE sys.Label", Changes(system={"subject": None})),
        (
            "SET sys.Label = 'x'; SET n = sys.Label",
            Changes(system={"subject": "x"}, user={"n": "x"}),
        ),
        ("SET sys.TimeToLive = 60", Changes(system={"time_to_live": 60})),
        ("SET n = missing", Changes(user={"n": None})),
        ("SET n = @p", Changes(user={"n": "given"})),
    ],
)
def test_actions_change_what_they_name(expression: str, changes: Changes) -> None:
    assert CompiledAction(expression, {"@p": "given"}).changes(MESSAGE) == changes


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("SET sys.Size = 1", "sys.Size cannot be set"),
        ("SET sys.Nothing = 1", "sys.Nothing cannot be set"),
        ("SET sys.TimeToLive = 'x'", "time_to_live takes a number of seconds"),
        ("SET a = 1 / 0", "division by zero"),
    ],
)
def test_actions_that_fail_say_why(expression: str, message: str) -> None:
    with pytest.raises(SqlEvaluationError, match=message):
        CompiledAction(expression).changes(MESSAGE)


@pytest.mark.parametrize(
    ("expression", "message"),
    [("", "SET or REMOVE"), ("SET = 1", "a property"), ("SET a 1", "'=' was expected")],
)
def test_actions_have_a_grammar(expression: str, message: str) -> None:
    with pytest.raises(SqlSyntaxError, match=message):
        CompiledAction(expression)


# Properties

_WORDS = "AND OR NOT IS NULL IN LIKE ESCAPE EXISTS TRUE SET REMOVE a sys.Label user. newid() p("
_SIGNS = "( ) , . ; = <> < <= + - * / % 'x' 'it''s' 12 1.5 1E5 @p [b c] ' [ ! é _"
_FRAGMENTS = st.sampled_from([*_WORDS.split(), *_SIGNS.split(), '"d"', '"'])


@given(st.one_of(st.text(max_size=60), st.lists(_FRAGMENTS, max_size=20).map(" ".join)))
def test_any_text_is_a_filter_or_a_syntax_error(text: str) -> None:
    try:
        compiled = CompiledFilter(text, {"p": 1})
    except SqlSyntaxError:
        return
    with contextlib.suppress(SqlEvaluationError):
        assert compiled.matches(MESSAGE) in (True, False)


@given(st.lists(_FRAGMENTS, max_size=20).map(" ".join))
def test_any_text_is_an_action_or_a_syntax_error(text: str) -> None:
    try:
        compiled = CompiledAction(text, {"p": 1})
    except SqlSyntaxError:
        return
    with contextlib.suppress(SqlEvaluationError):
        assert isinstance(compiled.changes(MESSAGE), Changes)


# An oracle: expressions as data, with their truth computed beside them in Kleene's logic, where
# false, unknown and true are 0, ½ and 1, AND is the minimum, OR the maximum, NOT the complement.

_VALUES: dict[str, int | None] = {"a": 1, "b": 2, "zero": 0, "missing": None}
_OPERANDS = st.one_of(
    st.sampled_from(list(_VALUES.items())),
    st.integers(0, 3).map(lambda number: (str(number), number)),
)


def _comparison(
    left: tuple[str, int | None], sign: str, right: tuple[str, int | None]
) -> tuple[str, float]:
    text = f"{left[0]} {sign} {right[0]}"
    if left[1] is None or right[1] is None:
        return text, 0.5
    signs = {
        "=": left[1] == right[1],
        "<>": left[1] != right[1],
        "<": left[1] < right[1],
        ">=": left[1] >= right[1],
    }
    return text, float(signs[sign])


def _membership(
    operand: tuple[str, int | None], choices: list[int], *, negated: bool
) -> tuple[str, float]:
    listed = ", ".join(map(str, choices))
    text = f"{operand[0]} {'NOT ' if negated else ''}IN ({listed})"
    if operand[1] is None:
        return text, 0.5
    return text, float((operand[1] in choices) != negated)


_ATOMS = st.one_of(
    st.builds(_comparison, _OPERANDS, st.sampled_from(["=", "<>", "<", ">="]), _OPERANDS),
    st.builds(
        _membership, _OPERANDS, st.lists(st.integers(0, 3), min_size=1), negated=st.booleans()
    ),
    _OPERANDS.map(lambda operand: (f"{operand[0]} IS NULL", float(operand[1] is None))),
    _OPERANDS.map(lambda operand: (f"{operand[0]} IS NOT NULL", float(operand[1] is not None))),
)
_EXPRESSIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: (f"NOT ({one[0]})", 1 - one[1])),
        st.tuples(inner, inner).map(
            lambda t: (f"({t[0][0]}) AND ({t[1][0]})", min(t[0][1], t[1][1]))
        ),
        st.tuples(inner, inner).map(
            lambda t: (f"({t[0][0]}) OR ({t[1][0]})", max(t[0][1], t[1][1]))
        ),
    ),
    max_leaves=12,
)


@given(_EXPRESSIONS)
def test_logic_agrees_with_kleenes(expression: tuple[str, float]) -> None:
    text, truth = expression
    message = Content(user={name: value for name, value in _VALUES.items() if value is not None})
    assert CompiledFilter(text).matches(message) is (truth == 1)
    assert CompiledFilter(f"NOT ({text})").matches(message) is (truth == 0)


@given(st.text(alphabet="ab%_\\", max_size=8), st.text(alphabet="ab%_\\", max_size=8))
def test_like_agrees_with_a_matcher_by_recursion(text: str, pattern: str) -> None:
    def like(rest: str, wanted: str) -> bool:
        if not wanted:
            return not rest
        if wanted[0] == "%":
            return any(like(rest[cut:], wanted[1:]) for cut in range(len(rest) + 1))
        literal = wanted[0] != "_"
        step = 1
        if wanted[0] == "\\":
            wanted, step = (wanted[1:] or "\\"), 1
        return (
            bool(rest) and (not literal or rest[0] == wanted[0]) and like(rest[1:], wanted[step:])
        )

    message = Content(user={"text": text, "pattern": pattern})
    found = CompiledFilter("text LIKE pattern ESCAPE '\\'").matches(message)
    assert found is like(text, pattern)
