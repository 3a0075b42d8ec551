"""What a policy language supplies: the meaning of its operators and functions, once as SQL and once in
Python.

A language is a package (`azure`, `custodian`) whose module `dialect` holds `DIALECT: Dialect`. Its front end
builds `Compare(dialect=NAME, op=...)` and `Func(dialect=NAME, name=...)` nodes; the SQL back end (`sql/`) and
the reference evaluator (`evaluate.py`) are plain walkers of the tree that look every operator and function up
here. Tests hold that both meanings of each are the same, on random values.

Example::

    def _equals(left: JsonOrMissing, right: JsonOrMissing) -> bool:
        return as_text(left) == as_text(right)

    def _equals_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        return Truth(sql("coalesce({} = {}, false)", left.text(), right.text()))

    DIALECT = Dialect("toy", {"equals": Operator(_equals, _equals_sql, ("must not be {}", "must be {}"))}, {})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

from apps.rules.sql.fragment import Sql
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.tree import JsonOrMissing, Rule, Value


class SqlScope(Protocol):
    """What an operator may ask of the statement under construction."""

    def share(self, expression: Sql) -> Sql:
        """The expression, computed once a row for all rules of the statement, as a column.

        For work that several operators may repeat (a trim, a parse). It is computed for every row, whatever
        the rule says before it, so it may never raise. An expression that reads an element is given back
        unchanged.
        """

    def alias(self) -> str:
        """A fresh identifier for a table alias in a subquery of the operator's own. Mark what reads it with
        `local`."""

    def local(self, text: str) -> Sql:
        """SQL text that reads an alias made by `alias()`, e.g. `scope.local(f"{alias}.value")`."""

    def value(self, node: Value) -> SqlValue:
        """The SQL of another value."""

    def truth(self, node: Rule) -> Truth:
        """The SQL of another rule."""


Evaluate = Callable[[JsonOrMissing, JsonOrMissing], bool]
"""Python meaning of an operator; raises `EvaluationError` for the error outcome, and nothing else."""

ToSql = Callable[[SqlValue, SqlValue, SqlScope], Truth]
"""SQL meaning: `Truth(holds)` or, where it can be an error, `Truth(holds, fails)`. Neither is ever NULL,
neither ever raises: guard a cast by CASE, since AND does not promise an order."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One comparison of a language.

    `demands` words the requirement that a resource breaks when the comparison is (true, false); `{}` is the
    right operand as JSON: ("must not be {}", "must be {}"). It goes into reasons after the value seen.
    `positive` is False for operators that are the negation of another (their being true is itself a breach).
    `only` says, for a constant right operand, which texts the left one can have at all where the operator
    holds or is an error; None where that is unknown. From it come the resource types that a rule applies to;
    texts are compared lower-cased.
    `missing_when` is the outcome at which the left operand can only be missing or null, so that a reason need not
    look for it again; None where there is no such outcome.
    """

    evaluate: Evaluate
    to_sql: ToSql
    demands: tuple[str, str]
    positive: bool = True
    only: Callable[[JsonOrMissing], frozenset[str] | None] | None = None
    missing_when: bool | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a language over values; `evaluate` raises `EvaluationError` for an error, and nothing
    else."""

    evaluate: Callable[[Sequence[JsonOrMissing]], JsonOrMissing]
    to_sql: Callable[[Sequence[SqlValue], SqlScope], SqlValue]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A language's vocabulary."""

    name: str
    operators: Mapping[str, Operator]
    functions: Mapping[str, Function] = field(default_factory=dict)


_MODULES = {"azure": "apps.rules.azure.dialect", "custodian": "apps.rules.custodian.dialect"}
_loaded: dict[str, Dialect] = {}


def dialect(name: str) -> Dialect:
    """The dialect of that name. KeyError for a name nobody supplies."""
    if name not in _loaded:
        _loaded[name] = import_module(_MODULES[name]).DIALECT
    return _loaded[name]


def operator(dialect_name: str, op: str) -> Operator:
    """The operator of a dialect. KeyError if it has none of that name."""
    return dialect(dialect_name).operators[op]


def function(dialect_name: str, name: str) -> Function:
    """The function of a dialect. KeyError if it has none of that name."""
    return dialect(dialect_name).functions[name]
