"""How a part of a rule reads to a person; shared by reasons (SQL) and explanations (Python)."""

from __future__ import annotations

from apps.rules.dialect import operator
from apps.rules.text import json_text
from apps.rules.tree import (
    MISSING,
    MODE,
    Choice,
    Collect,
    Column,
    Compare,
    Const,
    Count,
    Document,
    Element,
    Func,
    JsonOrMissing,
    Key,
    Linked,
    Path,
    Related,
    RuleValue,
    Tally,
    Value,
    walk,
)

SHOWN = 100
"""Characters of one value that are shown."""


def name_of(value: Value) -> str:
    """What a value is called: a path's label or steps, "count of ...", a function with its arguments."""
    if isinstance(value, (Path, Func, Choice)) and value.label:
        return value.label
    match value:
        case Path():
            return _steps_name(value)
        case Const(constant):
            return value.label or shown(constant)
        case Count() | Tally():
            return f"count of {name_of(value.over) if isinstance(value, Count) else 'conditions met'}"
        case Collect(_, _, inner):
            return name_of(inner)
        case Linked(kind, _, inner):
            return f"{kind.replace('_', ' ')} {name_of(inner)}"
        case Func():
            return _function_name(value)
        case Choice(_, then, otherwise):
            named = [name_of(each) for each in (then, otherwise) if each != Const(MISSING)]
            return " or ".join(dict.fromkeys(named))[:SHOWN]
        case RuleValue():
            return "the condition"


def _function_name(node: Func) -> str:
    if "_" in node.name and len(node.args) == 1:  # a front end's own: it only says what nothing counts as
        return name_of(node.args[0])
    return f"{node.name}({', '.join(name_of(arg) for arg in node.args)})"[:SHOWN]


def _steps_name(path: Path) -> str:
    steps = ".".join(step.name if isinstance(step, Key) else str(step.position) for step in path.steps)
    match path.root:
        case Column(name):
            return f"{name}.{steps}" if steps else name
        case Element():
            return f"element.{steps}" if steps else "element"
        case Document():
            return steps or "resource"


def shown(value: JsonOrMissing) -> str:
    """A value as it is shown: its JSON text, cut, or "missing"."""
    if value is MISSING:
        return "missing"
    written = json_text(value)
    return written if len(written) <= SHOWN else written[: SHOWN - 1] + "…"


def demand(node: Compare, *, outcome: bool) -> str:
    """The requirement that a leaf breaks by this outcome: `must be "TLS1_2"`."""
    words = operator(node.dialect, node.op).demands[0 if outcome else 1]
    return words.replace("{}", name_of(node.right))


def is_breach(node: Compare, *, outcome: bool) -> bool:
    """Whether this outcome of a leaf says that something is not as it must be, rather than which things are
    meant."""
    return operator(node.dialect, node.op).positive is not outcome


def is_timed(value: Value) -> bool:
    """Whether a value is another at every compilation: it is made of the present."""
    return any(isinstance(part, Const) and part.label for part in walk(value))


def is_scope(node: Compare) -> bool:
    """Whether a leaf only says which resources a rule is about: the mode implies it, or it reads type or provider."""
    if node.at == MODE:
        return True
    return isinstance(node.left, Path) and node.left.root in (Column("type"), Column("provider"))


def related_name(node: Related) -> str:
    """What a `Related` looks for."""
    return f"related {' or '.join(node.types)}"
