"""Filters in the dialects of CloudEvents: what they match, and what of them a broker can do."""

from __future__ import annotations

import pytest

from mesh.errors import Rejected
from mesh.model.broker_rules import LONGEST_SQL, rules_for
from mesh.model.events import EVENT_TYPES, PRODUCT_UPDATED
from mesh.model.filters import expressions_from_data
from mesh.model.names import ProductId
from mesh.model.subscription import PULL, Filter, filter_from_data, subscription_id

PRODUCT = ProductId(domain="geography", product="countries")
EVENT = {
    "type": PRODUCT_UPDATED,
    "source": PRODUCT.source,
    "subject": "v1/countries",
    "data": {
        "object": "countries",
        "rejected": 3,
        "late": True,
        "period": None,
        "snapshot": {"rows": 2.5},
    },
}


def expressions(*data):
    return expressions_from_data(list(data))


@pytest.mark.parametrize(
    ("wish", "matches"),
    [
        ({"exact": {"type": PRODUCT_UPDATED}}, True),
        ({"exact": {"type": PRODUCT_UPDATED.upper()}}, False),
        ({"prefix": {"subject": "v1/"}}, True),
        ({"prefix": {"subject": "v2/"}}, False),
        ({"suffix": {"subject": "countries"}}, True),
        ({"suffix": {"subject": "v1"}}, False),
        ({"exact": {"type": PRODUCT_UPDATED, "subject": "v1/countries"}}, True),
        ({"exact": {"type": PRODUCT_UPDATED, "subject": "v1/other"}}, False),
        ({"exact": {"data.object": "countries"}}, True),
        ({"exact": {"data.rejected": "3"}}, True),
        ({"exact": {"data.late": "true"}}, True),
        ({"exact": {"data.snapshot.rows": "2.5"}}, True),
        ({"prefix": {"data.snapshot": "{"}}, False),
        ({"exact": {"data.period": "None"}}, False),
        ({"not": {"exact": {"data.period": "2026"}}}, True),
        ({"exact": {"missing": "x"}}, False),
        ({"exact": {"type.x": "x"}}, None),
        ({"any": [{"exact": {"type": "x"}}, {"prefix": {"subject": "v"}}]}, True),
        ({"all": [{"exact": {"type": "x"}}, {"prefix": {"subject": "v"}}]}, False),
        ({"not": {"any": [{"exact": {"type": "x"}}]}}, True),
    ],
)
def test_what_a_filter_matches(wish, matches):
    if matches is None:
        with pytest.raises(Rejected):
            expressions(wish)
        return
    [read] = expressions(wish)

    assert read.matches(EVENT) is matches
    assert expressions(read.to_data()) == (read,)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("x", "filters: a list of filters is expected."),
        (["x"], "filters[0]: a filter has one member, which is its dialect."),
        ([{}], "filters[0]: a filter has one member"),
        ([{"exact": {}, "prefix": {}}], "filters[0]: a filter has one member"),
        ([{"sql": "x"}], "filters[0].sql: there is no such dialect; the dialects are exact, prefi"),
        ([{"exact": {}}], "filters[0].exact: at least one attribute with its value is expected."),
        ([{"exact": {"type": 1}}], "filters[0].exact: type needs a text of 1 to 256 characters."),
        ([{"exact": {"type": ""}}], "type needs a text of 1 to 256 characters."),
        ([{"exact": {"type": "x" * 257}}], "type needs a text of 1 to 256 characters."),
        ([{"exact": {"Type": "x"}}], "'Type' is neither an attribute of CloudEvents"),
        ([{"exact": {"data": "x"}}, {"any": []}], "filters[1].any: a list of at least one filter"),
        ([{"not": []}], "filters[0].not: a filter has one member"),
        ([{"all": [{"any": [{"x": 1}]}]}], "filters[0].all[0].any[0].x: there is no such dialect"),
        ([{"exact": {"type": "x"}}] * 51, "filters: 51 comparisons; 50 are allowed."),
        (
            [{"not": {"not": {"not": {"not": {"not": {"not": {"exact": {"type": "x"}}}}}}}}],
            "filters may be 6 levels deep.",
        ),
    ],
)
def test_what_is_no_filter(data, says):
    with pytest.raises(Rejected) as refused:
        expressions_from_data(data)

    assert says in str(refused.value)
    assert refused.value.problem == "invalid-filter"


def test_the_shorthand_is_written_out():
    wanted = filter_from_data(
        {"types": list(EVENT_TYPES[1::-1]), "objects": ["countries"]},
        [{"prefix": {"subject": "v1/"}}],
    )

    assert [one.to_data() for one in wanted.expressions] == [
        {"any": [{"exact": {"type": one}} for one in sorted(EVENT_TYPES[:2])]},
        {"exact": {"data.object": "countries"}},
        {"prefix": {"subject": "v1/"}},
    ]
    assert Filter().expressions == ()


def test_other_filters_make_another_subscription():
    def identity(*filters):
        return subscription_id(
            product=PRODUCT,
            subscriber="fleet",
            route=PULL,
            wanted=filter_from_data({}, list(filters)),
        )

    wishes = [(), ({"prefix": {"subject": "v1"}},), ({"prefix": {"subject": "v2"}},)]
    assert len({identity(*wish) for wish in wishes}) == 3


def rules(*data):
    return list(rules_for(PRODUCT, filter_from_data({}, list(data))).values())


SQL = "domain='geography' AND product='countries'"
MINE = {"domain": "geography", "product": "countries"}


@pytest.mark.parametrize(
    ("data", "made"),
    [
        ([], [MINE]),
        ([{"exact": {"subject": "v1/x"}}], [{**MINE, "subject": "v1/x"}]),
        (
            [{"any": [{"exact": {"type": "a"}}, {"exact": {"data.object": "b"}}]}],
            [{**MINE, "meshtype": "a"}, {**MINE, "object": "b"}],
        ),
        ([{"exact": {"type": "a"}}, {"exact": {"type": "b"}}], []),
        ([{"exact": {"source": PRODUCT.source}}], [MINE]),
        ([{"exact": {"source": "urn:mesh:other"}}], []),
        ([{"prefix": {"source": "urn:mesh:"}}], [MINE]),
        (
            [{"prefix": {"subject": "v1/it's"}}],
            [f"{SQL} AND (EXISTS(subject) AND subject LIKE 'v1/it''s%')"],
        ),
        (
            [{"not": {"suffix": {"data.object": "a_b"}}}],
            [f"{SQL} AND NOT ((EXISTS(object) AND object LIKE '%a\\_b' ESCAPE '\\'))"],
        ),
        (
            [{"not": {"exact": {"specversion": "1.0"}}}],
            [f"{SQL} AND NOT (1=1)"],
        ),
    ],
)
def test_the_broker_s_rules(data, made):
    assert rules(*data) == made


def test_many_equalities_become_one_sql_rule():
    every = {"any": [{"exact": {"data.object": f"o{at}"}} for at in range(11)]}
    types = {"any": [{"exact": {"type": f"t{at}"}} for at in range(10)]}

    assert len(rules(every)) == 11
    [sql] = rules(every, types)
    assert sql.count("EXISTS") == 21
    types["any"].append({"exact": {"type": "t" * 200}})
    with pytest.raises(Rejected, match=f"may have {LONGEST_SQL} characters as SQL, and this one"):
        rules(every, types)
