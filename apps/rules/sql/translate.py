"""The walker from a rule tree to SQL. It knows the tree and no language: operators come from the dialects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from apps.rules.dialect import function, operator
from apps.rules.evaluate import LINKED_TYPES
from apps.rules.sql.elements import (
    Collected,
    Elements,
    Way,
    all_valid,
    elements_of,
    exists,
    is_array,
    members,
    none,
)
from apps.rules.sql.fragment import (
    FALSE,
    TRUE,
    Sql,
    all_of,
    any_of,
    join,
    negate,
    reading,
    sql,
    text,
    texts,
)
from apps.rules.sql.scope import Columns, path_value
from apps.rules.sql.values import ConstantValue, SqlValue, Truth
from apps.rules.tree import (
    Always,
    And,
    Choice,
    Collect,
    Column,
    Compare,
    Const,
    Count,
    Func,
    Linked,
    Not,
    Or,
    Path,
    Quantify,
    Related,
    Rule,
    RuleValue,
    Tally,
    Value,
)

T = TypeVar("T")

_WORTH_A_COLUMN = 120
"""Characters of an expression above which it is computed once, as a column."""


_ALIAS = re.compile(r"\be[0-9]+\b")


class Translator:
    """Translates the rules of one statement; a `SqlScope` to the operators."""

    def __init__(self, columns: Columns, tenant: Sql) -> None:
        """`tenant` is the tenant's id as SQL: rows of other tenants are never looked at."""
        self.columns = columns
        self.tenant = tenant
        self._bindings: dict[str, Sql] = {}
        self._around: list[Elements] = []

    # --- what operators may ask (SqlScope) ---

    def share(self, expression: Sql) -> Sql:
        if not expression.local:
            return self.columns.share(expression)
        if len(expression.text) <= _WORTH_A_COLUMN:
            return expression
        for elements in reversed(self._around):
            if expression.aliases & elements.aliases:
                visible = frozenset().union(*(each.aliases for each in self._around))
                return (
                    elements.compute(expression, self.alias())
                    if expression.aliases <= visible
                    else expression
                )
        return expression

    def alias(self) -> str:
        return self.columns.alias()

    def local(self, text: str) -> Sql:
        # Aliases are e1, e2, ...; text that names none that is known is shared with nothing.
        return Sql(text, local=True, aliases=frozenset(_ALIAS.findall(text)))

    # --- rules ---

    def truth(self, node: Rule) -> Truth:
        """The SQL of a rule."""
        match node:
            case Always(outcome):
                return Truth(TRUE if outcome else FALSE)
            case And(items):
                return conjoined([self.truth(item) for item in items])
            case Or(items):
                return conjoined([self.truth(item).inverted() for item in items]).inverted()
            case Not(item):
                return self.truth(item).inverted()
            case Compare():
                return self._compare(node)
            case Quantify():
                return self._quantify(node)
            case Related():
                return self._related(node)

    def _compare(self, node: Compare) -> Truth:
        left, right = self.value(node.left), self.value(node.right)
        truth = operator(node.dialect, node.op).to_sql(left, right, self)
        return truth.guarded(_valid([left, right]))

    def _quantify(self, node: Quantify) -> Truth:
        over = self.value(node.over)
        with self._elements(over, node.binding) as elements:
            body = self.truth(node.body)
        every = node.kind == "all"
        truth = exists(elements, body.inverted()).inverted() if every else exists(elements, body)
        if node.strict:
            truth = truth.guarded(is_array(over))
        return truth.guarded(over.valid)

    def witness(self, node: Quantify, say: Callable[[Rule], T]) -> tuple[Sql, Truth, T]:
        """The elements of a quantifier as a FROM item, its body over them, and what `say` makes of the body there."""
        with self._elements(self.value(node.over), node.binding) as elements:
            body, said = self.truth(node.body), say(node.body)
        return elements.source, body, said

    @contextmanager
    def _elements(self, over: SqlValue, binding: str) -> Iterator[Elements]:
        """The elements of an array, each bound; no array has none."""
        elements = self._rows(over)
        self._bindings[binding] = reading(elements.alias, f"{elements.alias}.value")
        self._around.append(elements)
        try:
            yield elements
        finally:
            self._around.pop()

    def _rows(self, over: SqlValue) -> Elements:
        if isinstance(over, Collected):
            return Elements(over.rows, over.alias, frozenset({over.alias}))
        return elements_of(over.json(), self.alias())

    def _related(self, node: Related) -> Truth:
        alias = self.alias()
        self._bindings[node.binding] = reading(alias, alias)
        where = self.truth(node.where)
        holds = self._some_row(node, alias, where.holds)
        if where.fails is None:
            return Truth(holds)
        return Truth(holds, negate(self._some_row(node, alias, negate(where.fails))))

    def _some_row(self, node: Related, alias: str, condition: Sql) -> Sql:
        """Whether some linked row meets the condition.

        Where the condition does not read the outer row it is an IN, which PostgreSQL computes once and
        hashes; an EXISTS would be computed for every resource.
        """
        outer, inner = self._link(node, alias)
        rows = sql(
            f"resources {alias} join resource_properties {alias}p on {alias}p.resource_id = {alias}.id"
            f" where {alias}.tenant_id = {{}} and {alias}.type = any({{}})"
            f" and {alias}p.tenant_id = {{}} and {alias}p.type = any({{}})",
            self.tenant,
            texts(node.types),
            self.tenant,
            texts(node.types),
        )
        if condition.level == 0:
            return sql("coalesce({} in (select {} from {} and {}), false)", outer, inner, rows, condition)
        return sql("exists (select 1 from {} and {} = {} and {})", rows, inner, outer, condition)

    def _link(self, node: Related, alias: str) -> tuple[Sql, Sql]:
        """The key of the outer row and that of the other row; rows are linked where the keys are equal
        texts."""
        if node.link == "below":
            native = self.value(Path(Column("native_id"))).text()
            cut = f"regexp_replace({alias}.native_id, '(/[^/]*){{{node.segments:d}}}$', '')"
            return _folded(native), _folded(reading(alias, cut))
        account = self.value(Path(Column("account"))).text()
        if node.link == "account":
            return _key(account), _key(reading(alias, f"{alias}.account"))
        group = self.value(Path(Column("group_name"))).text()
        return (
            _key(account, group),
            _key(reading(alias, f"{alias}.account"), reading(alias, f"{alias}.group_name")),
        )

    # --- values ---

    def value(self, node: Value) -> SqlValue:
        """The SQL of a value."""
        match node:
            case Const(constant):
                return ConstantValue(constant)
            case Path():
                return path_value(node, self.columns, self._bindings)
            case Func():
                return self._function(node)
            case Count():
                return self._count(node)
            case Tally():
                return self._tally(node)
            case Collect():
                return self._collect(node)
            case Linked():
                return self._linked(node)
            case RuleValue(rule):
                truth = self.truth(rule)
                valid = None if truth.fails is None else any_of([truth.holds, truth.fails])
                return SqlValue("boolean", truth.holds, valid)
            case Choice():
                return self._choice(node)

    def _once(self, expression: Sql) -> Sql:
        """A long expression that is about to be written several times, as a column."""
        return self.share(expression) if len(expression.text) > _WORTH_A_COLUMN else expression

    def _function(self, node: Func) -> SqlValue:
        args = [self.value(arg) for arg in node.args]
        result = function(node.dialect, node.name).to_sql(args, self)
        valid = _valid([*args, result])
        return result if valid is None else result.valid_if(self._once(valid))

    def _choice(self, node: Choice) -> SqlValue:
        test = self.truth(node.test)
        then, otherwise = self.value(node.then), self.value(node.otherwise)
        if then.valid is otherwise.valid is test.fails is None and _is_there(test.holds, then.json()):
            return SqlValue("json", self._once(sql("coalesce({}, {})", then.json(), otherwise.json())))
        chosen = self._once(test.holds)
        expression = sql("case when {} then {} else {} end", chosen, then.json(), otherwise.json())
        conditions = []
        if test.fails is not None:
            conditions.append(any_of([chosen, self._once(test.fails)]))
        if then.valid is not None or otherwise.valid is not None:
            branches = (chosen, then.valid or TRUE, otherwise.valid or TRUE)
            conditions.append(sql("case when {} then {} else {} end", *branches))
        valid = self._once(all_of(conditions)) if conditions else None
        return SqlValue("json", self._once(expression), valid)

    def _count(self, node: Count) -> SqlValue:
        over = self.value(node.over)
        with self._elements(over, node.binding) as elements:
            where = Truth(TRUE) if node.where is None else self.truth(node.where)
        counted = elements.closed(sql("(select count(*) from {} where {})", elements.source, where.holds))
        valid = over.valid
        if where.fails is not None:
            undecided = all_of([negate(where.holds), negate(where.fails)])
            decided = none(elements, undecided)
            valid = all_of([part for part in (over.valid, decided) if part is not None])
        return SqlValue("number", counted, valid)

    def _tally(self, node: Tally) -> SqlValue:
        truths = [self.truth(rule) for rule in node.rules]
        counted = join(" + ", [sql("({})::integer", truth.holds) for truth in truths]) if truths else Sql("0")
        decided = [any_of([truth.holds, truth.fails]) for truth in truths if truth.fails is not None]
        return SqlValue("number", sql("({})", counted), all_of(decided) if decided else None)

    def _linked(self, node: Linked) -> SqlValue:
        """A look-up in one object of all the rows' values, which PostgreSQL makes once a statement."""
        alias = self.alias()
        self._bindings[node.binding] = reading(alias, alias)
        read = self.value(node.value)
        last = reading(alias, f"regexp_replace({alias}.native_id, '^.*/', '')")
        account = self.value(Path(Column("account"))).text()
        outer, inner = _key(account), _key(last)
        if node.kind == "resource_group":
            outer = _key(account, self.value(Path(Column("group_name"))).text())
            inner = _key(reading(alias, f"{alias}.account"), last)
        made = sql(
            "(select jsonb_object_agg({}, coalesce({}, 'null'::jsonb) order by {}) from {} where {} and {})",
            inner,
            read.json(),
            sql(f'{alias}.id collate "C"'),
            sql(f"resources {alias} join resource_properties {alias}p on {alias}p.resource_id = {alias}.id"),
            sql(f"{alias}.type = {{}} and {alias}p.type = {{}}", *[text(LINKED_TYPES[node.kind])] * 2),
            sql(f"{alias}.tenant_id = {{}} and {alias}p.tenant_id = {{}}", self.tenant, self.tenant),
        )
        found = sql("({} -> ({}))", made, outer)
        return SqlValue("json", found, sql("{} is not null", found))

    def _collect(self, node: Collect) -> SqlValue:
        over = self.value(node.over)
        names = (self.alias(), self.alias())
        with self._elements(over, node.binding) as elements:
            where = Truth(TRUE) if node.where is None else self.truth(node.where)
            item = self.value(node.value)
            value = item.json()
        rows = members(elements, where, value, node, names)
        valid = all_valid(elements, over, where, item)
        before = over.way if isinstance(over, Collected) else Way(over.json())
        return Collected(rows, names[0], is_array(over), valid, self, before and before.further(node))


def conjoined(truths: list[Truth]) -> Truth:
    """The truth of an `And`."""
    holds = all_of([truth.holds for truth in truths])
    fallible = [truth for truth in truths if truth.fails is not None]
    if not fallible:
        return Truth(holds)
    undecided = None
    if len(fallible) == 1 and fallible[0].undecided is not None:
        # It is an error exactly where that one part is, and no other is false.
        others = [truth.holds for truth in truths if truth.fails is None]
        undecided = all_of([fallible[0].undecided, *others])
    return Truth(holds, any_of([truth.false for truth in truths]), undecided)


def _is_there(test: Sql, value: Sql) -> bool:
    """Whether the test is that the value is there."""
    return test.text.strip("()") == f"{value.text} is not null".strip("()") and test.params == value.params


def _valid(values: list[SqlValue]) -> Sql | None:
    conditions = [value.valid for value in values if value.valid is not None]
    return all_of(conditions) if conditions else None


def _folded(expression: Sql) -> Sql:
    return sql('lower({} collate "C")', expression)


def _key(*parts: Sql) -> Sql:
    """One text of several, a separator between them that cannot occur in any; a missing one is empty."""
    return join(" || chr(31) || ", [sql("coalesce({}, '')", _folded(part)) for part in parts])
