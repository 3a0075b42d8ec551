"""Template expressions to values of the tree: folded where everything is known, functions over places where
not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from apps.rules.azure import expressions as ast
from apps.rules.azure.constants import CONSTANT_FUNCTIONS
from apps.rules.azure.context import FieldCount, Scope, ValueCount
from apps.rules.azure.fields import as_value, resolve
from apps.rules.azure.functions import ARITY, FUNCTIONS
from apps.rules.errors import EvaluationError, InvalidPolicy, Unsupported
from apps.rules.tree import (
    Always,
    Choice,
    Column,
    Compare,
    Const,
    Document,
    Func,
    Json,
    Key,
    Linked,
    Path,
    Rule,
    RuleValue,
    Value,
    conjunction,
    disjunction,
    negation,
)
from apps.rules.wording import SHOWN, is_timed, name_of

_BY_LOWER = {name.lower(): name for name in FUNCTIONS if "_" not in name}
_ORDER = {name.lower(): name for name in ("less", "lessOrEquals", "greater", "greaterOrEquals")}
_REFUSED = {
    "requestcontext": "requestContext() is known only while a request is made",
    "claims": "claims() is known only while a request is made",
    "policy": "policy() is known only to Azure's own assignment",
    "reference": "reference() asks Azure Resource Manager",
    "listkeys": "listKeys() asks Azure Resource Manager",
    "newguid": "newGuid() gives another value every time",
}


def lower_json(value: Json, scope: Scope, at: str) -> Value:
    """A JSON value of a definition, with the expressions in its strings. Containers must fold to
    constants."""
    if isinstance(value, str):
        return lower_text(value, scope, at)
    if isinstance(value, list):
        items = [lower_json(item, scope, f"{at}[{i}]") for i, item in enumerate(value)]
        return Const([_constant(item, at) for item in items])
    if isinstance(value, dict):
        return Const({k: _constant(lower_json(v, scope, f"{at}.{k}"), at) for k, v in value.items()})
    return Const(value)


def _constant(value: Value, at: str) -> Json:
    if isinstance(value, Const):
        return value.value  # type: ignore[return-value]
    raise Unsupported(at, "an expression inside a list or object reads the resource")


def lower_text(value: str, scope: Scope, at: str) -> Value:
    """A string of a definition: a literal, or the value of its expression."""
    if not ast.is_expression(value):
        return Const(ast.unescape(value))
    return lower(ast.parse(value, at), scope, at)


def lower(node: ast.Expression, scope: Scope, at: str) -> Value:
    """The value of an expression. Raises `Unsupported`, `InvalidPolicy`."""
    if isinstance(node, ast.Literal):
        return Const(node.value)
    if isinstance(node, ast.Member):
        return _member(node, scope, at)
    name = node.name.lower()
    if name in _REFUSED:
        raise Unsupported(at, _REFUSED[name])
    if name in _SPECIAL:
        return _SPECIAL[name](node, scope, at)
    args = tuple(lower(arg, scope, at) for arg in node.args)
    return _apply(node.name, args, scope, at)


def _apply(name: str, args: tuple[Value, ...], scope: Scope, at: str) -> Value:
    lowered = name.lower()
    least, most = ARITY.get(lowered, (0, 100))
    if not least <= len(args) <= most:
        raise InvalidPolicy(at, f"{name[:40]}() does not take {len(args)} values")
    if all(isinstance(arg, Const) for arg in args) and lowered in CONSTANT_FUNCTIONS:
        return _fold(name, CONSTANT_FUNCTIONS[lowered], args, at)
    if lowered not in _BY_LOWER:
        known = lowered in CONSTANT_FUNCTIONS
        why = "is applied to values of the resource" if known else "is not known"
        raise Unsupported(at, f"the function {name[:40]}() {why}")
    return fold(Func("azure", _BY_LOWER[lowered], args), at)


def fold(node: Func, at: str) -> Value:
    """The function, or its value where every argument is known."""
    if not all(isinstance(arg, Const) for arg in node.args):
        return node
    return _fold(node.name, FUNCTIONS[node.name].evaluate, node.args, at)


def _fold(name: str, evaluate: Callable, args: tuple[Value, ...], at: str) -> Const:
    try:
        made = evaluate([arg.value for arg in args if isinstance(arg, Const)])
        timed = any(is_timed(arg) for arg in args)
        return Const(made, f"{name}({', '.join(map(name_of, args))})"[:SHOWN] if timed else "")
    except EvaluationError as error:
        raise InvalidPolicy(at, f"{name}() cannot be computed: {error}") from error
    except (ValueError, TypeError, IndexError, OverflowError, KeyError) as error:
        raise InvalidPolicy(at, f"{name}() cannot be computed from its arguments") from error


# --- members ------------------------------------------------------------------------------------------------


def _member(node: ast.Member, scope: Scope, at: str) -> Value:
    linked = _linked_member(node, scope, at)
    if linked is not None:
        return linked
    base, index = lower(node.base, scope, at), lower(node.index, scope, at)
    if isinstance(base, Path) and isinstance(index, Const) and isinstance(index.value, str):
        return replace(base, steps=(*base.steps, Key(index.value, fold=True)), label="")
    return fold(Func("azure", "item", (base, index)), at)


def _linked_member(node: ast.Member, scope: Scope, at: str) -> Value | None:
    """`resourceGroup().x` and `subscription().x`, with one more step below (`.tags[...]`)."""
    chain: list[ast.Expression] = []
    base: ast.Expression = node
    while isinstance(base, ast.Member):
        chain.insert(0, base.index)
        base = base.base
    if not isinstance(base, ast.Call) or base.name.lower() not in ("resourcegroup", "subscription"):
        return None
    steps = [lower(step, scope, at) for step in chain]
    names = [step.value for step in steps if isinstance(step, Const) and isinstance(step.value, str)]
    if len(names) != len(steps):
        raise Unsupported(at, f"a member of {base.name}() is chosen by the resource")
    kind = "resource_group" if base.name.lower() == "resourcegroup" else "subscription"
    own = _own_column(kind, [name.lower() for name in names])
    return Func("azure", "or_empty", (own,)) if own is not None else _linked_path(kind, names, scope, at)


def _own_column(kind: str, names: list[str]) -> Value | None:
    """Facts of the group or subscription that stand in the resource's own row."""
    if kind == "resource_group" and names == ["name"]:
        return Path(Column("group_name"), (), "resource group")
    account = Path(Column("account"), (), "subscription")
    if kind == "subscription" and names == ["subscriptionid"]:
        return account
    prefix = Func("azure", "concat", (Const("/subscriptions/"), account))
    if names == ["id"]:
        if kind == "subscription":
            return prefix
        group = Path(Column("group_name"), (), "resource group")
        return Func("azure", "concat", (prefix, Const("/resourceGroups/"), group))
    return None


def _linked_path(kind: str, names: list[str], scope: Scope, at: str) -> Value:
    row = scope.definition.fresh("r")
    first, rest = names[0].lower(), tuple(Key(name, fold=True) for name in names[1:])
    value: Value
    if first == "location" and not rest:
        value = Path(Column("location", row), (), "location")
    elif first == "tags":
        value = Path(Column("tags", row), rest, f'tag "{names[1]}"' if rest else "tags")
    elif first in ("managedby", "displayname", "properties"):
        canonical = {"managedby": "managedBy", "displayname": "displayName"}.get(first, first)
        value = Path(Document(row), (Key(canonical), *rest), names[0])
    else:
        raise Unsupported(at, f"{kind.replace('_', ' ')} facts hold no {names[0][:40]}")
    return Func("azure", "or_empty", (Linked(kind, row, value),))  # type: ignore[arg-type]


# --- functions with a meaning of their own ------------------------------------------------------------------


def _parameter(node: ast.Call, scope: Scope, at: str) -> Value:
    name = _name_argument(node, scope, at)
    known = scope.definition
    if name.lower() not in known.parameters:
        raise InvalidPolicy(at, f"the parameter {name[:80]} is not declared")
    if name.lower() in known.absent:
        known.missing.add(name.lower())
    return Const(known.parameters[name.lower()])


def _name_argument(node: ast.Call, scope: Scope, at: str) -> str:
    if len(node.args) != 1:
        raise InvalidPolicy(at, f"{node.name}() takes one name")
    name = lower(node.args[0], scope, at)
    if not isinstance(name, Const) or not isinstance(name.value, str):
        raise Unsupported(at, f"the name given to {node.name}() is not a known text")
    return name.value


def _field(node: ast.Call, scope: Scope, at: str) -> Value:
    name = _name_argument(node, scope, at)
    reading = scope.of_resource()
    place = resolve(name, reading, at)
    counted = any(isinstance(c, FieldCount) and name.lower().startswith(c.alias) for c in scope.counts)
    return as_value(place, reading, counted=counted)


def _current(node: ast.Call, scope: Scope, at: str) -> Value:
    if not scope.counts:
        raise InvalidPolicy(at, "current() is used outside a count")
    if not node.args:
        innermost = scope.counts[-1]
        return (
            Path(innermost.element, (), "current()")
            if isinstance(innermost, FieldCount)
            else innermost.element
        )
    name = _name_argument(node, scope, at)
    for count in reversed(scope.counts):
        if isinstance(count, ValueCount) and count.name.lower() == name.lower():
            return count.element
        if isinstance(count, FieldCount) and name.lower().startswith(count.alias):
            place = resolve(name, scope, at)
            if place.hops:
                return Func("azure", "or_list", (as_value(place, scope, counted=False),))
            return Func("azure", "or_empty", (place.start,))
    raise InvalidPolicy(at, f"no enclosing count is called {name[:80]}")


def _now(node: ast.Call, scope: Scope, at: str) -> Value:
    moment = scope.definition.now
    if not node.args:
        return Const(moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z", "utcNow()")
    pattern = _name_argument(node, scope, at)
    known = {
        "yyyy-MM-dd": "%Y-%m-%d",
        "d": "%m/%d/%Y",
        "o": "%Y-%m-%dT%H:%M:%S.%f0Z",
        "u": "%Y-%m-%d %H:%M:%SZ",
    }
    if pattern not in known:
        raise Unsupported(at, f"the date format {pattern[:40]} is not known")
    return Const(moment.strftime(known[pattern]), f"utcNow('{pattern}')")


def as_rule(value: Value, at: str) -> Rule:
    """A value that should be true or false, as a rule; any other value is an error."""
    if isinstance(value, RuleValue):
        return value.rule
    if isinstance(value, Const):
        if not isinstance(value.value, bool):
            raise InvalidPolicy(at, "a condition is expected, true or false")
        return Always(value.value)
    return Compare("azure", "isTrue", value, Const(True), at)


def _as_value(rule: Rule) -> Value:
    return Const(rule.outcome) if isinstance(rule, Always) else RuleValue(rule)


def _if(node: ast.Call, scope: Scope, at: str) -> Value:
    if len(node.args) != 3:
        raise InvalidPolicy(at, "if() takes a condition and two values")
    test = as_rule(lower(node.args[0], scope, at), at)
    if isinstance(test, Always):
        return lower(node.args[1 if test.outcome else 2], scope, at)
    return Choice(test, lower(node.args[1], scope, at), lower(node.args[2], scope, at))


def _logic(combine: Callable[[tuple[Rule, ...]], Rule]) -> Callable[[ast.Call, Scope, str], Value]:
    def build(node: ast.Call, scope: Scope, at: str) -> Value:
        return _as_value(combine(tuple(as_rule(lower(arg, scope, at), at) for arg in node.args)))

    return build


def _not(node: ast.Call, scope: Scope, at: str) -> Value:
    if len(node.args) != 1:
        raise InvalidPolicy(at, "not() takes one condition")
    return _as_value(negation(as_rule(lower(node.args[0], scope, at), at)))


def _ordering(node: ast.Call, scope: Scope, at: str) -> Value:
    if len(node.args) != 2:
        raise InvalidPolicy(at, f"{node.name}() takes two values")
    left, right = (lower(arg, scope, at) for arg in node.args)
    if isinstance(left, Const) and isinstance(right, Const):
        return _fold(node.name, CONSTANT_FUNCTIONS[node.name.lower()], (left, right), at)
    return RuleValue(Compare("azure", _ORDER[node.name.lower()], left, right, at))


def _coalesce(node: ast.Call, scope: Scope, at: str) -> Value:
    args = [lower(arg, scope, at) for arg in node.args]
    kept = [arg for arg in args if not (isinstance(arg, Const) and arg.value is None)]
    if not kept:
        return Const(None)
    if len(kept) == 1 or isinstance(kept[0], Const):
        return kept[0]
    raise Unsupported(at, "the function coalesce() is applied to values of the resource")


_SPECIAL: dict[str, Callable[[ast.Call, Scope, str], Value]] = {
    "parameters": _parameter,
    "field": _field,
    "current": _current,
    "utcnow": _now,
    "if": _if,
    "and": _logic(conjunction),
    "or": _logic(disjunction),
    "not": _not,
    "coalesce": _coalesce,
    **dict.fromkeys(_ORDER, _ordering),
}
