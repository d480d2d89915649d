"""A subset of the Kusto Query Language, translated to SQLite's SQL.

What is in it, and what is not, stands in `docs/kql.md`; whatever is not is refused by name, never
guessed. Microsoft's own parser checks the same queries for Azure.

lexer      text into tokens
syntax     the nodes of a query
parser     tokens into nodes
functions  scalar functions and aggregates, with the types they give
scalars    expressions into SQL
tabular    operators into SQL
running    a query's answer from the store
"""

from local.telemetry.kql.lexer import KqlError
from local.telemetry.kql.running import Answer, Column, run

__all__ = ["Answer", "Column", "KqlError", "run"]
