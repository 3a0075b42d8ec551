"""A rule for resources of one known type: conditions on the type are decided, and what hangs on them is dropped."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, cast

from apps.rules.dialect import operator
from apps.rules.errors import EvaluationError
from apps.rules.tree import (
    NODE_TYPES,
    Always,
    And,
    Choice,
    Column,
    Compare,
    Const,
    Node,
    Not,
    Or,
    Path,
    Rule,
    conjunction,
    disjunction,
    negation,
)

_TYPE = Column("type")


def specialise(rule: Rule, resource_type: str) -> Rule:
    """The rule as it is for a resource of this (lower-cased) type; the same outcome for each of them."""
    return cast(Rule, _special(rule, resource_type))


def _special(node: Node, resource_type: str) -> Node:
    node = _with_parts(node, resource_type)
    match node:
        case And(items):
            return conjunction(items, node.at)
        case Or(items):
            return disjunction(items, node.at)
        case Not(item):
            return negation(item, node.at)
        case Choice(Always(outcome), then, otherwise):
            return then if outcome else otherwise
        case Compare(dialect, op, Path(root, ()), Const(right)) if root == _TYPE:
            try:
                return Always(operator(dialect, op).evaluate(resource_type, right))
            except EvaluationError:
                return node
    return node


def _with_parts(node: Node, resource_type: str) -> Node:
    """The node with each of its parts made special; itself where none changes."""
    changed: dict[str, Any] = {}
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, NODE_TYPES):
            part = cast(Node, value)
            new: Any = _special(part, resource_type)
        elif isinstance(value, tuple) and value and isinstance(value[0], NODE_TYPES):
            new = tuple(_special(item, resource_type) for item in value)
            new = value if all(a is b for a, b in zip(new, value, strict=True)) else new
        else:
            continue
        if new is not value:
            changed[field.name] = new
    return replace(node, **changed) if changed else node
