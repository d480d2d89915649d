"""A pull subscriber's filter as rules of its Service Bus topic subscription.

Correlation filters compare properties with values, cost the broker least, and there may be many.
What they cannot say is one SQL filter. What that cannot say either is refused: the broker knows of
an event only what Event Grid's delivery attribute mappings (`infra/event-grid.json`) tell it.
https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messaging-sql-filter
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from itertools import product as combinations

from mesh.errors import Rejected
from mesh.model.filters import Expression, compare
from mesh.model.names import ProductId
from mesh.model.subscription import Filter

PROPERTIES = {
    "type": "meshtype",
    "subject": "subject",
    "sequence": "sequence",
    "data.domain": "domain",
    "data.product": "product",
    "data.object": "object",
    "data.port": "port",
    "data.period": "period",
    "data.verdict": "verdict",
}
"""The property of a message that holds an attribute of its event."""

LONGEST_SQL = 1024
"""Characters that Service Bus takes of an SQL filter."""

MOST_RULES = 100
"""Correlation rules of one subscription; beyond them one SQL rule is tried."""

Rule = Mapping[str, str] | str
"""Properties that are compared, or an SQL expression. Rules of a subscription are joined by or."""


def rules_for(product: ProductId, wanted: Filter) -> dict[str, Rule]:
    """The rules of a subscription, by their names, which are derived from them.

    Raises:
        Rejected: the broker cannot evaluate the filter; the message says why.
    """
    constants = _constants(product)
    wish = Expression(dialect="all", parts=wanted.expressions)
    unknown = sorted(
        {one.attribute for one in wish.comparisons if one.attribute}
        - PROPERTIES.keys()
        - constants.keys()
    )
    if unknown:
        message = (
            f"A pull subscription is filtered by the broker, which does not know {unknown[0]} of "
            f"an event, but {', '.join(PROPERTIES)}. Filter by these, or subscribe by webhook."
        )
        raise Rejected(message, problem="filter-too-rich", status=422)
    mine = {"domain": product.domain, "product": product.product}
    alternatives = _alternatives(wish, constants)
    rules: Iterable[Rule]
    if alternatives is None:
        rules = [_sql_rule(mine, wish, constants)]
    else:
        rules = [mine | properties for properties in alternatives]
    return {_name(rule): rule for rule in rules}


def _constants(product: ProductId) -> dict[str, str]:
    """What all events of a product have in common: nothing the broker need compare."""
    return {
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "source": product.source,
        "partitionkey": product.key,
        "data.domain": product.domain,
        "data.product": product.product,
    }


def _name(rule: Rule) -> str:
    return f"mesh-{hashlib.sha256(json.dumps(rule).encode()).hexdigest()[:20]}"


def _alternatives(wish: Expression, constants: Mapping[str, str]) -> list[dict[str, str]] | None:
    """The wish as "or" of "and" of equalities; None when it is none, or has too many."""
    if wish.dialect in {"prefix", "suffix", "not"} and wish.attribute not in constants:
        return None
    if wish.attribute:
        if wish.attribute not in constants:
            return [{PROPERTIES[wish.attribute]: wish.value}]
        return [{}] if _is_true(wish, constants) else []
    found: list[dict[str, str]] = [] if wish.dialect == "any" else [{}]
    for part in wish.parts:
        more = _alternatives(part, constants)
        if more is None:
            return None
        if wish.dialect == "any":
            found += [one for one in more if one not in found]
        else:
            found = [
                left | right
                for left, right in combinations(found, more)
                if all(left.get(name, value) == value for name, value in right.items())
            ]
        if len(found) > MOST_RULES:
            return None
    return found


def _is_true(comparison: Expression, constants: Mapping[str, str]) -> bool:
    assert comparison.dialect in {"exact", "prefix", "suffix"}
    return compare(comparison.dialect, constants[comparison.attribute], comparison.value)


def _sql_rule(mine: Mapping[str, str], wish: Expression, constants: Mapping[str, str]) -> str:
    equal = [f"{name}={_literal(value)}" for name, value in mine.items()]
    sql = " AND ".join([*equal, *(_sql(part, constants) for part in wish.parts)])
    size = len(sql.encode("utf-16-le")) // 2
    if size > LONGEST_SQL:
        message = (
            f"The filter of a pull subscription may have {LONGEST_SQL} characters as SQL, and this "
            f"one has {size}. Make it shorter, or subscribe by webhook."
        )
        raise Rejected(message, problem="filter-too-rich", status=422)
    return sql


def _sql(wish: Expression, constants: Mapping[str, str]) -> str:
    """The wish as a condition that is true or false, never unknown: `NOT` has to turn it round."""
    match wish.dialect:
        case "not":
            return f"NOT ({_sql(wish.parts[0], constants)})"
        case "all" | "any":
            word = " AND " if wish.dialect == "all" else " OR "
            return f"({word.join(_sql(part, constants) for part in wish.parts)})"
    if wish.attribute in constants:
        return "1=1" if _is_true(wish, constants) else "1=0"
    name = PROPERTIES[wish.attribute]
    return f"(EXISTS({name}) AND {name}{_condition(wish)})"


def _condition(comparison: Expression) -> str:
    if comparison.dialect == "exact":
        return f"={_literal(comparison.value)}"
    pattern = comparison.value
    for special in "\\%_":
        pattern = pattern.replace(special, f"\\{special}")
    escape = "" if pattern == comparison.value else " ESCAPE '\\'"
    pattern = f"{pattern}%" if comparison.dialect == "prefix" else f"%{pattern}"
    return f" LIKE {_literal(pattern)}{escape}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
