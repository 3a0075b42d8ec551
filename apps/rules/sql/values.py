"""A value of the tree as SQL, in whichever form an operator asks for, and the outcome of a rule as SQL."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Literal

from apps.rules.sql.fragment import NULL_JSON, NULL_TEXT, Sql, all_of, any_of, jsonb, negate, sql, text
from apps.rules.text import plain_text
from apps.rules.tree import MISSING, JsonOrMissing

Form = Literal["json", "text", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class Truth:
    """When a rule is true, and when it is false: two expressions, neither of them ever NULL.

    Where `fails` is None, the rule is false exactly when it is not true. Otherwise it is an error when neither
    holds; `undecided`, where it is given, is an expression that says the same with less work.
    """

    holds: Sql
    fails: Sql | None = None
    undecided: Sql | None = None

    @property
    def error(self) -> Sql | None:
        """The expression that is true when the rule is an error; None of a rule that never is one."""
        if self.fails is None:
            return None
        return self.undecided or all_of([negate(self.holds), negate(self.fails)])

    @property
    def false(self) -> Sql:
        """The expression that is true when the rule is false."""
        return negate(self.holds) if self.fails is None else self.fails

    def inverted(self) -> Truth:
        """The truth of the negated rule."""
        return Truth(self.false, None if self.fails is None else self.holds, self.undecided)

    def guarded(self, valid: Sql | None) -> Truth:
        """The same where `valid` (never NULL) is true, an error where it is not. Nothing is computed if it is
        not."""
        if valid is None:
            return self
        invalid: Sql | None = negate(valid)
        if self.fails is not None:
            invalid = None if self.undecided is None else any_of([negate(valid), self.undecided])
        return Truth(
            sql("case when {} then {} else false end", valid, self.holds),
            sql("case when {} then {} else false end", valid, self.false),
            invalid,
        )


class NotConstant:
    """The type of `NOT_CONSTANT`."""

    def __repr__(self) -> str:
        return "NOT_CONSTANT"


NOT_CONSTANT = NotConstant()


class SqlValue:
    """One value. Each form is an SQL expression; SQL NULL stands for "missing" in every one of them.

    * `json()`: jsonb. JSON null is `'null'::jsonb`, missing is SQL NULL.
    * `text()`: text, as `->>` gives it: a string is itself, numbers, booleans and containers are their JSON
      text; **null and missing are both SQL NULL**.
    * `kind()`: 'string', 'number', 'boolean', 'array', 'object', 'null', or SQL NULL where missing.

    `form` is the type of `expression`, the form it has by nature (asking for that one costs nothing).

    `valid`, where it is not None, is a condition (never NULL) without which the value is an error; the forms
    may then be any value but never raise. The walker guards comparisons with it, so an operator need not
    look; a function that can fail returns a value whose `valid` says when it does not (the walker adds that
    of its arguments).
    """

    def __init__(self, form: Form, expression: Sql, valid: Sql | None = None) -> None:
        self.form = form
        self.expression = expression
        self.valid = valid

    @property
    def constant(self) -> JsonOrMissing | NotConstant:
        """The value itself where it is known at compile time, otherwise `NOT_CONSTANT`."""
        return NOT_CONSTANT

    def valid_if(self, condition: Sql | None) -> SqlValue:
        """The same value, an error where the condition is false."""
        made = copy(self)
        made.valid = condition
        return made

    def json(self) -> Sql:
        return self.expression if self.form == "json" else sql("to_jsonb({})", self.expression)

    def text(self) -> Sql:
        if self.form == "json":
            return sql("({} #>> array[]::text[])", self.expression)
        return self.expression if self.form == "text" else sql("({})::text", self.expression)

    def inline_text(self) -> Sql:
        """`text()` written out where it stands, to be part of an expression that is itself shared."""
        return self.text()

    def kind(self) -> Sql:
        return sql("jsonb_typeof({})", self.json())


class ConstantValue(SqlValue):
    """A literal, bound as a parameter."""

    def __init__(self, value: JsonOrMissing) -> None:
        super().__init__("json", NULL_JSON if value is MISSING else jsonb(value))
        self._value = value

    @property
    def constant(self) -> JsonOrMissing | NotConstant:
        return self._value

    def text(self) -> Sql:
        written = None if self._value is MISSING else plain_text(self._value)
        return NULL_TEXT if written is None else text(written)
