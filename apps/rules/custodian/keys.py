"""Keys of value filters as values of the tree.

Source: c7n 0.9.53 `BaseValueFilter.get_resource_value`: `tag:NAME`; else a top-level key of that very name;
else a JMESPath expression.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.rules.custodian.context import Context
from apps.rules.custodian.jmespath_keys import NoExpression, expression
from apps.rules.custodian.tags import TRANSFORMS, tag_value
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import MISSING, Choice, Compare, Const, Func, Key, Path, Value

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A JMESPath identifier: as an expression it says the same as the key of that name."""


def key_value(key: object, context: Context, at: str, transforms: object = None) -> Value:
    """The value that a key names. Raises `InvalidPolicy` and `Unsupported`."""
    if not isinstance(key, str):
        raise InvalidPolicy(at, "a key is a text")
    if key.startswith("tag:"):
        return _tag(key, context, at, transforms)
    named = Path(context.start.root, (*context.start.steps, Key(key)), key)
    if _PLAIN.fullmatch(key):
        return named
    there = Compare("custodian", "exists", named, Const(MISSING), at)
    return Choice(there, named, searched(key, context, at), key)


def searched(key: str, context: Context, at: str) -> Value:
    """The value of a key as an expression; an error of the resource where it is none."""
    try:
        return expression(key, context.start, at=at, fresh=context.binding)
    except NoExpression:
        told = f"{key[:100]} is no JMESPath expression, and no key of the resource"
        return Func("custodian", "no-answer", (Const(told),))


def _tag(key: str, context: Context, at: str, transforms: object) -> Value:
    if not context.in_document:
        raise Unsupported(at, "a tag: key inside list-item is not supported")
    chosen = transforms or []
    if not isinstance(chosen, Sequence) or isinstance(chosen, str):
        raise InvalidPolicy(at, "tag_key_transforms is a list")
    for name in chosen:
        if name in ("capitalize", "title"):
            raise Unsupported(at, f'the tag key transform "{name}" is not supported')
        if name not in TRANSFORMS:
            raise InvalidPolicy(at, f'there is no tag key transform "{str(name)[:50]}"')
    return tag_value(key.split(":", 1)[1], tuple(chosen), key)
