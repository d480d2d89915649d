"""The SQL of rules: its words into a tree.

The grammar is that of "Subscription Rule SQL Filter Syntax" and "… SQL Action Syntax"
(https://learn.microsoft.com/azure/service-bus-messaging/service-bus-messaging-sql-filter). Binding,
loosest first: OR, AND, NOT, comparison, + -, * / %, sign.
"""

from __future__ import annotations

from local.service_bus.core.message import Value
from local.service_bus.core.sql_tokens import SqlSyntaxError, Token, error_at, tokens
from local.service_bus.core.sql_tree import (
    Binary,
    Constant,
    Exists,
    In,
    IsNull,
    Like,
    Named,
    NewId,
    Node,
    Parameter,
    Property,
    RemoveProperty,
    SetProperty,
    Statement,
    Unary,
)

_KEYWORDS = frozenset(
    "AND OR NOT IS NULL IN LIKE ESCAPE EXISTS TRUE FALSE SET REMOVE".split()  # noqa: SIM905
)
_DEEPEST = 100
_LONGEST_INTEGER = 2**63 - 1


class Parser:
    """A parser by recursive descent over one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def predicate_to_end(self) -> Node:
        """Read a whole filter."""
        node = self._or()
        if self._token.kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    def statements_to_end(self) -> list[Statement]:
        """Read a whole action."""
        found: list[Statement] = []
        while self._token.kind != "end":
            found.append(self._statement())
            while self._symbol(";") or self._symbol(","):
                pass
        if not found:
            raise self._unexpected("SET or REMOVE")
        return found

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _unexpected(self, wanted: str) -> SqlSyntaxError:
        token = self._token
        shown = token.text if token.kind == "end" else f"'{token.text}'"
        return error_at(self._text, token.position, f"{shown} where {wanted} was expected")

    def _keyword(self, *words: str) -> bool:
        """Step over these keywords if all of them come next."""
        coming = self._tokens[self._at : self._at + len(words)]
        matches = [
            t.kind == "word" and t.text.upper() == w for t, w in zip(coming, words, strict=False)
        ]
        if len(matches) == len(words) and all(matches):
            self._at += len(words)
            return True
        return False

    def _symbol(self, *symbols: str) -> str | None:
        token = self._token
        if token.kind == "symbol" and token.text in symbols:
            self._at += 1
            return token.text
        return None

    def _expect(self, symbol: str) -> None:
        if not self._symbol(symbol):
            raise self._unexpected(f"'{symbol}'")

    def _statement(self) -> Statement:
        if self._keyword("SET"):
            target = self._property()
            self._expect("=")
            return SetProperty(target, self._sum())
        if self._keyword("REMOVE"):
            return RemoveProperty(self._property())
        raise self._unexpected("SET or REMOVE")

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise error_at(self._text, self._token.position, "the expression nests too deeply")
        node = self._and()
        while self._keyword("OR"):
            node = Binary("OR", node, self._and())
        self._depth -= 1
        return node

    def _and(self) -> Node:
        node = self._not()
        while self._keyword("AND"):
            node = Binary("AND", node, self._not())
        return node

    def _not(self) -> Node:
        negations = 0
        while self._keyword("NOT"):
            negations += 1
        node = self._comparison()
        return Unary("NOT", node) if negations % 2 else _doubled(node, negations)

    def _comparison(self) -> Node:
        if self._keyword("EXISTS"):
            self._expect("(")
            target = self._property()
            self._expect(")")
            return Exists(target)
        left = self._sum()
        if operator := self._symbol("=", "<>", "!=", "<", "<=", ">", ">="):
            return Binary("<>" if operator == "!=" else operator, left, self._sum())
        if self._keyword("IS"):
            negated = self._keyword("NOT")
            if not self._keyword("NULL"):
                raise self._unexpected("NULL")
            return _negated(IsNull(left), negated=negated)
        if self._keyword("NOT", "IN"):
            return _negated(self._in(left), negated=True)
        if self._keyword("IN"):
            return self._in(left)
        if self._keyword("NOT", "LIKE"):
            return _negated(self._like(left), negated=True)
        if self._keyword("LIKE"):
            return self._like(left)
        return left

    def _in(self, left: Node) -> Node:
        self._expect("(")
        choices = [self._sum()]
        while self._symbol(","):
            choices.append(self._sum())
        self._expect(")")
        return In(left, tuple(choices))

    def _like(self, left: Node) -> Node:
        pattern = self._sum()
        return Like(left, pattern, self._sum() if self._keyword("ESCAPE") else None)

    def _sum(self) -> Node:
        node = self._product()
        while operator := self._symbol("+", "-"):
            node = Binary(operator, node, self._product())
        return node

    def _product(self) -> Node:
        node = self._signed()
        while operator := self._symbol("*", "/", "%"):
            node = Binary(operator, node, self._signed())
        return node

    def _signed(self) -> Node:
        signs = []
        while sign := self._symbol("+", "-"):
            signs.append(sign)
        node = self._primary()
        return Unary("-", node) if signs.count("-") % 2 else (Unary("+", node) if signs else node)

    def _primary(self) -> Node:
        token = self._token
        if self._symbol("("):
            node = self._or()
            self._expect(")")
            return node
        literal = self._literal(token)
        if literal is not None:
            return literal
        if token.kind == "word" and self._tokens[self._at + 1].text == "(":
            return self._function(token)
        return self._property()

    def _literal(self, token: Token) -> Node | None:
        constants: dict[str, Value] = {"TRUE": True, "FALSE": False, "NULL": None}
        node: Node | None = None
        if token.kind == "number":
            node = Constant(self._number(token))
        elif token.kind == "string":
            node = Constant(token.text[1:-1].replace("''", "'"))
        elif token.kind == "parameter":
            node = Parameter(token.text)
        elif token.kind == "word" and token.text.upper() in constants:
            node = Constant(constants[token.text.upper()])
        if node is not None:
            self._at += 1
        return node

    def _number(self, token: Token) -> Value:
        if not token.text.isdecimal():
            return float(token.text)
        if len(token.text) > 19 or int(token.text) > _LONGEST_INTEGER:
            raise error_at(self._text, token.position, "the integer does not fit 64 bits")
        return int(token.text)

    def _function(self, token: Token) -> Node:
        name = token.text.lower()
        if name not in {"newid", "property", "p"}:
            raise self._unexpected("newid(), property(name) or p(name)")
        self._at += 2
        node: Node = NewId() if name == "newid" else Named(self._sum())
        self._expect(")")
        return node

    def _property(self) -> Property:
        scope, name = "user", self._identifier()
        following = self._tokens[self._at]
        if following.kind == "symbol" and following.text == ".":
            if name.lower() not in {"sys", "user"}:
                problem = f"the scope of a property is 'sys' or 'user', not '{name}'"
                raise error_at(self._text, following.position, problem)
            self._at += 1
            scope, name = name.lower(), self._identifier()
        return Property(scope, name)

    def _identifier(self) -> str:
        token = self._token
        if token.kind == "name":
            quote = token.text[-1]
            name = token.text[1:-1].replace(quote * 2, quote)
        elif token.kind == "word" and token.text.upper() not in _KEYWORDS:
            name = token.text
        else:
            raise self._unexpected("a property, a value or '('")
        self._at += 1
        return name


def _negated(node: Node, *, negated: bool) -> Node:
    return Unary("NOT", node) if negated else node


def _doubled(node: Node, negations: int) -> Node:
    return Unary("NOT", Unary("NOT", node)) if negations else node
