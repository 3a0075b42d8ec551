"""Filters as rules: which filter is read how, and which are refused, with the reason.

Source: c7n 0.9.53 `FilterRegistry.factory`: a text is a filter without settings; an object with a `type` is
that filter; an object of one key is `or`, `and`, `not`, or `{key: value}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from apps.rules.custodian.aging import AGE_FILTERS, age_filter, marked_for_op, tag_count
from apps.rules.custodian.context import Context, Filter, as_json, only_keys
from apps.rules.custodian.keys import searched
from apps.rules.custodian.known_facts import FACT_FILTERS
from apps.rules.custodian.refusals import refusal
from apps.rules.custodian.value_filter import (
    NUMERIC,
    operator_name,
    short_filter,
    value_filter,
)
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import Compare, Const, Count, Func, Quantify, Rule, conjunction, disjunction, negation

MOST_NESTED = 50


def filters_rule(filters: object, context: Context, at: str, depth: int = 0) -> Rule:
    """All of a list of filters. Raises `InvalidPolicy` and `Unsupported`."""
    return conjunction(_each(filters, context, at, depth), at)


def _each(filters: object, context: Context, at: str, depth: int) -> tuple[Rule, ...]:
    if not isinstance(filters, (list, tuple)):
        raise InvalidPolicy(at, "filters are a list")
    if depth > MOST_NESTED:
        raise InvalidPolicy(at, f"filters are nested more than {MOST_NESTED} deep")
    return tuple(_filter(each, context, f"{at}[{index}]", depth) for index, each in enumerate(filters))


def _filter(data: object, context: Context, at: str, depth: int) -> Rule:
    if isinstance(data, str):
        data = {"type": data}
    if not isinstance(data, Mapping) or not data:
        raise InvalidPolicy(at, "a filter is an object or the name of one")
    if "type" not in data:
        if len(data) > 1:
            raise InvalidPolicy(at, f"a filter without a type has one key, not {len(data)}")
        [(key, value)] = data.items()
        if key in _GROUPS:
            return _GROUPS[key](_each(value, context, f"{at}.{key}", depth + 1), at)
        return short_filter(key, value, context, f"{at}.{key}")
    return _typed(data, context, at, depth)


def _typed(data: Filter, context: Context, at: str, depth: int) -> Rule:
    kind = data["type"]
    if not isinstance(kind, str):
        raise InvalidPolicy(f"{at}.type", "the type of a filter is a text")
    if kind in _GROUPS:
        if set(data) != {"type", kind} and set(data) != {"type", "filters"}:
            raise InvalidPolicy(at, f'write {{"{kind}": [...]}}')
        raise InvalidPolicy(at, f'"{kind}" takes a list of filters: {{"{kind}": [...]}}')
    if kind == "value":
        return value_filter(data, context, at)
    if kind == "list-item":
        return _list_item(data, context, at, depth)
    read = _SIMPLE.get(kind) or _resource_filter(kind, context)
    if read is not None and context.in_document:
        return read(data, context, at)
    raise Unsupported(f"{at}.type", refusal(kind, context.resource))


def _resource_filter(kind: str, context: Context) -> Callable[[Filter, Context, str], Rule] | None:
    if (context.resource, kind) in AGE_FILTERS:
        return age_filter
    return FACT_FILTERS.get((context.resource, kind))


_GROUPS: dict[str, Callable[[tuple[Rule, ...], str], Rule]] = {
    "or": disjunction,
    "and": conjunction,
    "not": lambda items, at: negation(conjunction(items, at), at),
}

_SIMPLE: dict[str, Callable[[Filter, Context, str], Rule]] = {
    "marked-for-op": marked_for_op,
    "tag-count": tag_count,
}


def _list_item(data: Filter, context: Context, at: str, depth: int) -> Rule:
    """Some element of a list meets all of `attrs`, or as many as `count` says."""
    only_keys(data, {"key", "attrs", "count", "count_op"}, at)
    key = data.get("key")
    if not isinstance(key, str):
        raise InvalidPolicy(f"{at}.key", "a list-item filter has a key")
    over = Func("custodian", "items", (searched(key, context, f"{at}.key"),), key)
    binding = context.binding()
    body = filters_rule(data.get("attrs", []), context.inside(binding), f"{at}.attrs", depth + 1)
    if "count" not in data:
        return Quantify("any", over, binding, body, at=at)
    return counted(data, Count(over, binding, body), at)


def counted(data: Filter, counted_value: Any, at: str) -> Rule:
    """A count against `count` by `count_op`."""
    count = as_json(data["count"])
    if isinstance(count, bool) or not isinstance(count, (int, float)):
        raise InvalidPolicy(f"{at}.count", "count is a number")
    operator = operator_name(data.get("count_op", "eq"), f"{at}.count_op")
    if operator not in NUMERIC:
        raise InvalidPolicy(f"{at}.count_op", "count_op compares numbers")
    return Compare("custodian", str(operator), counted_value, Const(count), at)
