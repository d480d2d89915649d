"""Tokens into nodes: expressions; the tabular part is in `statements`."""

from __future__ import annotations

from local.telemetry.kql import syntax as x
from local.telemetry.kql.lexer import KqlError, Token, error, tokens

_COMPARISONS = {"==", "!=", "<", ">", "<=", ">=", "=~", "!~"}
_WORDS = {
    "has",
    "contains",
    "startswith",
    "endswith",
    "has_cs",
    "contains_cs",
    "startswith_cs",
    "endswith_cs",
}


class ExpressionParser:
    """Reads expressions; `statements.Parser` adds what a query is made of."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokens(text)
        self._place = 0

    @property
    def now(self) -> Token:
        return self._tokens[self._place]

    def after(self, places: int = 1) -> Token:
        return self._tokens[min(self._place + places, len(self._tokens) - 1)]

    def next(self) -> Token:
        token = self.now
        self._place += 1
        return token

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these."""
        return self.now.kind in {"symbol", "name"} and self.now.text in texts

    def skip(self, *texts: str) -> Token | None:
        """The next token, if it is one of these; then it is behind us."""
        return self.next() if self.at(*texts) else None

    def expect(self, text: str) -> Token:
        found = self.skip(text)
        if found is None:
            raise self.error(f"expected {text!r}, found {self.now.text!r}")
        return found

    def name(self, what: str) -> str:
        if self.now.kind != "name":
            raise self.error(f"expected {what}, found {self.now.text!r}")
        return self.next().text

    def error(self, why: str, at: int | None = None) -> KqlError:
        return error(self.text, self.now.at if at is None else at, why)

    def subquery(self) -> x.Query:
        """A query within parentheses."""
        raise NotImplementedError

    def expression(self) -> x.Expression:
        left = self._and()
        while token := self.skip("or"):
            left = x.Binary(token.at, "or", left, self._and())
        return left

    def _and(self) -> x.Expression:
        left = self._comparison()
        while token := self.skip("and"):
            left = x.Binary(token.at, "and", left, self._comparison())
        return left

    def _comparison(self) -> x.Expression:
        left = self._sum()
        at = self.now.at
        negated = bool(self.at("!") and self.after().at == at + 1 and self.skip("!"))
        token = self.now
        if token.kind == "symbol" and token.text in _COMPARISONS and not negated:
            return x.Binary(at, self.next().text, left, self._sum())
        if token.kind == "name" and token.text in _WORDS:
            operator = self.next().text
            return x.Binary(at, f"!{operator}" if negated else operator, left, self._sum())
        if self.at("in"):
            return self._among(left, at, negated)
        if self.skip("between"):
            self.expect("(")
            low = self._sum()
            self.expect("..")
            high = self._sum()
            self.expect(")")
            return x.Between(at, left, low, high, negated)
        if negated:
            raise self.error(f"'!' is not followed by an operator but by {token.text!r}")
        return left

    def _among(self, left: x.Expression, at: int, negated: bool) -> x.Expression:
        self.expect("in")
        any_case = bool(self.skip("~"))
        self.expect("(")
        members: tuple[x.Expression, ...] | x.Query
        inner = self.at("(") and self.after(2).text == "|" and self.skip("(")
        is_query = inner or (self.now.kind == "name" and self.after().text == "|")
        members = self.subquery() if is_query else tuple(self.listed())
        if inner:
            self.expect(")")
        self.expect(")")
        return x.Among(at, left, members, negated, any_case)

    def listed(self) -> list[x.Expression]:
        """Expressions with commas between them, at least one."""
        found = [self.expression()]
        while self.skip(","):
            found.append(self.expression())
        return found

    def _sum(self) -> x.Expression:
        left = self._product()
        while token := self.skip("+", "-"):
            left = x.Binary(token.at, token.text, left, self._product())
        return left

    def _product(self) -> x.Expression:
        left = self._unary()
        while token := self.skip("*", "/", "%"):
            left = x.Binary(token.at, token.text, left, self._unary())
        return left

    def _unary(self) -> x.Expression:
        if token := self.skip("-"):
            return x.Negative(token.at, self._unary())
        return self._members(self._primary())

    def _members(self, of: x.Expression) -> x.Expression:
        while True:
            if self.at(".") and self.after().kind == "name":
                at = self.next().at
                of = x.Member(at, of, self.next().text)
            elif self.at("["):
                at = self.next().at
                if self.now.kind != "string":
                    raise self.error("only a name in quotes may stand in brackets")
                of = x.Member(at, of, str(self.next().value))
                self.expect("]")
            else:
                return of

    def _primary(self) -> x.Expression:
        token = self.next()
        if token.kind in {"long", "real", "string", "timespan", "datetime"}:
            return x.Literal(token.at, token.value, token.kind)
        if token.text == "(" and token.kind == "symbol":
            inner = self.expression()
            self.expect(")")
            return inner
        if token.text == "*" and token.kind == "symbol":
            return x.Star(token.at)
        if token.kind != "name":
            raise self.error(f"expected a value, found {token.text!r}", token.at)
        if token.text in {"true", "false"}:
            return x.Literal(token.at, int(token.text == "true"), "bool")
        if not self.at("("):
            return x.Name(token.at, token.text)
        self.expect("(")
        if token.text == "dynamic":
            return self._dynamic(token.at)
        arguments = () if self.at(")") else tuple(self.listed())
        self.expect(")")
        return x.Call(token.at, token.text, arguments)

    def _dynamic(self, at: int) -> x.Expression:
        self.expect("[")
        members: list[x.Literal] = []
        while not self.at("]"):
            member = self._primary()
            if not isinstance(member, x.Literal):
                raise self.error("a dynamic list holds constants", member.at)
            members.append(member)
            if not self.skip(","):
                break
        self.expect("]")
        self.expect(")")
        return x.Dynamic(at, tuple(members))
