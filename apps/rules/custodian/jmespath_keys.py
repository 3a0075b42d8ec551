"""JMESPath expressions as values of the tree. jmespath's own parser reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jmespath
from jmespath.exceptions import JMESPathError

from apps.rules.custodian.jmes_functions import FUNCTIONS
from apps.rules.errors import Unsupported
from apps.rules.tree import (
    MISSING,
    Choice,
    Collect,
    Compare,
    Const,
    Element,
    Func,
    Index,
    Json,
    Key,
    Node,
    Path,
    Rule,
    RuleValue,
    Value,
    children,
    conjunction,
    disjunction,
    negation,
)

LONGEST_EXPRESSION = 2_000
MOST_NODES = 1_500
"""Nodes of one expression's value, those of a part that is used twice counted twice."""

LAST_POSITION = 2**31 - 2

CALLABLE = frozenset(FUNCTIONS)
"""Functions that an expression may call; `map` is one more."""

_ARITY = {
    "contains": 2, "starts_with": 2, "ends_with": 2, "split": 2, "join": 2, "map": 2,
}  # fmt: skip
_COMPARISONS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

Ast = dict[str, Any]


class NoExpression(ValueError):
    """The text is no JMESPath expression."""


def expression(source: str, start: Path, *, at: str, fresh: Callable[[], str]) -> Value:
    """The value of an expression at a place of the resource.

    `fresh` makes names for bindings. Raises `NoExpression` and `Unsupported`.
    """
    if len(source) > LONGEST_EXPRESSION:
        raise Unsupported(at, f"the key is longer than {LONGEST_EXPRESSION} characters")
    try:
        tree = cast(Ast, jmespath.compile(source).parsed)
    except (JMESPathError, ValueError, RecursionError) as error:
        raise NoExpression(str(error)) from error
    try:
        value = _Translation(at, fresh, source).value(tree, start)
        size = _size(value, {})
    except RecursionError as error:
        raise Unsupported(at, "the key is nested too deeply") from error
    if size > MOST_NODES:
        raise Unsupported(at, "the key is too large an expression")
    return value


def _size(node: Node, known: dict[int, int]) -> int:
    """Nodes under a value, as many times as they are used."""
    if id(node) not in known:
        known[id(node)] = 1 + sum(_size(child, known) for child in children(node))
    return known[id(node)]


class _Translation:
    def __init__(self, at: str, fresh: Callable[[], str], source: str) -> None:
        self._at = at
        self._fresh = fresh
        self._source = source

    def value(self, node: Ast, current: Value) -> Value:
        """The value of a node where `current` is the current value."""
        return cast(Value, getattr(self, f"_{node['type']}", self._unknown)(node, current))

    def _unknown(self, node: Ast, current: Value) -> Value:
        raise Unsupported(self._at, f"{node['type']} in a JMESPath key is not supported")

    # --- steps ---

    def _field(self, node: Ast, current: Value) -> Value:
        if isinstance(current, Path):
            return Path(current.root, (*current.steps, Key(node["value"])), self._label(current))
        return Func("custodian", "field", (current, Const(node["value"])))

    def _index(self, node: Ast, current: Value) -> Value:
        self._check_position(node["value"])
        if isinstance(current, Path):
            return Path(current.root, (*current.steps, Index(node["value"])), self._label(current))
        return Func("custodian", "index", (current, Const(node["value"])))

    def _check_position(self, position: object) -> None:
        if isinstance(position, int) and abs(position) > LAST_POSITION:
            raise Unsupported(self._at, "an index in a JMESPath key is out of range")

    def _label(self, current: Path) -> str:
        return "" if isinstance(current.root, Element) else self._source

    def _slice(self, node: Ast, current: Value) -> Value:
        bounds: list[Json] = list(node["children"])
        for bound in bounds:
            self._check_position(bound)
        if bounds[2] == 0:
            raise Unsupported(self._at, "a slice in a JMESPath key has a step of 0")
        return Func("custodian", "slice", (current, Const(bounds)))

    def _in_turn(self, node: Ast, current: Value) -> Value:
        for child in node["children"]:
            current = self.value(child, current)
        return current

    _subexpression = _index_expression = _pipe = _in_turn

    def _current(self, node: Ast, current: Value) -> Value:
        return current

    _identity = _current

    def _literal(self, node: Ast, current: Value) -> Value:
        return Const(node["value"])

    # --- projections ---

    def _projection(self, node: Ast, current: Value) -> Value:
        return self._project(self.value(node["children"][0], current), node["children"][1], None)

    def _filter_projection(self, node: Ast, current: Value) -> Value:
        base, body, test = node["children"]
        return self._project(self.value(base, current), body, test)

    def _value_projection(self, node: Ast, current: Value) -> Value:
        members = Func("custodian", "members", (self.value(node["children"][0], current), Const(MISSING)))
        return self._project(members, node["children"][1], None)

    def _project(self, over: Value, body: Ast, test: Ast | None) -> Value:
        binding = self._fresh()
        element = Path(Element(binding))
        where = None if test is None else self.rule(test, element)
        return Collect(over, binding, self.value(body, element), where, skip_null=True)

    def _flatten(self, node: Ast, current: Value) -> Value:
        binding = self._fresh()
        over = self.value(node["children"][0], current)
        return Collect(over, binding, Path(Element(binding)), flatten=True)

    # --- conditions ---

    def rule(self, node: Ast, current: Value) -> Rule:
        """The truth of a node's value."""
        match node["type"]:
            case "comparator":
                return self._comparison(node, current)
            case "and_expression":
                return conjunction(tuple(self.rule(child, current) for child in node["children"]), self._at)
            case "or_expression":
                return disjunction(tuple(self.rule(child, current) for child in node["children"]), self._at)
            case "not_expression":
                return negation(self.rule(node["children"][0], current), self._at)
        return self._truth(self.value(node, current))

    def _truth(self, value: Value) -> Rule:
        return Compare("custodian", "jmespath-true", value, Const(MISSING), self._at)

    def _comparison(self, node: Ast, current: Value) -> Rule:
        left, right = (self.value(child, current) for child in node["children"])
        if node["value"] in ("eq", "ne"):
            equal = Compare("custodian", "jmespath-same", left, right, self._at)
            return equal if node["value"] == "eq" else negation(equal, self._at)
        return Compare("custodian", f"jmespath-{_COMPARISONS[node['value']]}", left, right, self._at)

    def _comparator(self, node: Ast, current: Value) -> Value:
        outcome = RuleValue(self._comparison(node, current))
        if node["value"] in ("eq", "ne"):
            return outcome
        left, right = (self.value(child, current) for child in node["children"])
        comparable = Compare("custodian", "jmespath-comparable", left, right, self._at)
        return Choice(comparable, outcome, Const(None))

    def _or_expression(self, node: Ast, current: Value) -> Value:
        first = self.value(node["children"][0], current)
        return Choice(
            self.rule(node["children"][0], current), first, self.value(node["children"][1], current)
        )

    def _and_expression(self, node: Ast, current: Value) -> Value:
        first = self.value(node["children"][0], current)
        return Choice(
            self.rule(node["children"][0], current), self.value(node["children"][1], current), first
        )

    def _not_expression(self, node: Ast, current: Value) -> Value:
        return RuleValue(negation(self.rule(node["children"][0], current), self._at))

    # --- what is made ---

    def _unless_null(self, current: Value, made: Value) -> Value:
        there = Compare("custodian", "present", current, Const(MISSING), self._at)
        return Choice(there, made, Const(None))

    def _multi_select_list(self, node: Ast, current: Value) -> Value:
        items = tuple(self.value(child, current) for child in node["children"])
        return self._unless_null(current, Func("custodian", "array", tuple(map(_or_null, items))))

    def _multi_select_dict(self, node: Ast, current: Value) -> Value:
        names: list[Json] = [child["value"] for child in node["children"]]
        if len(set(map(str, names))) < len(names):
            raise Unsupported(self._at, "a JMESPath key makes an object with one name twice")
        items = tuple(self.value(child["children"][0], current) for child in node["children"])
        return self._unless_null(current, Func("custodian", "object", (Const(names), *map(_or_null, items))))

    def _function_expression(self, node: Ast, current: Value) -> Value:
        name, children = node["value"], node["children"]
        if name != "map" and name not in CALLABLE:
            raise Unsupported(self._at, f"the JMESPath function {name}() is not supported")
        if name == "not_null" and children:
            return Func("custodian", name, tuple(self.value(child, current) for child in children))
        if len(children) != _ARITY.get(name, 1):
            raise Unsupported(self._at, f"{name}() takes {_ARITY.get(name, 1)} arguments in a JMESPath key")
        if name == "map":
            return self._map(children, current)
        return Func("custodian", name, tuple(self.value(child, current) for child in children))

    def _map(self, children: list[Ast], current: Value) -> Value:
        if children[0]["type"] != "expref":
            raise Unsupported(self._at, "map() takes an expression in a JMESPath key")
        binding = self._fresh()
        over = Func("custodian", "array-only", (self.value(children[1], current),))
        made = self.value(children[0]["children"][0], Path(Element(binding)))
        return Collect(over, binding, _or_null(made))


def _or_null(value: Value) -> Value:
    return Func("custodian", "or-null", (value,))
