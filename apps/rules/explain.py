"""Which leaf of a rule decided, with the values seen: data for a page.

`explain` evaluates every part of a rule for one resource with the reference evaluator and keeps what it saw.
A part is `decisive` if the outcome of the whole rests on it: of an `And` that is false, the parts that are
false; of one that is true, all of them; and so on down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from apps.rules.compile import CompiledRule
from apps.rules.errors import EvaluationError
from apps.rules.evaluate import Frame, Resource, frame, holds, members, value_of
from apps.rules.tree import (
    MISSING,
    Always,
    And,
    Compare,
    Const,
    JsonOrMissing,
    Not,
    Or,
    Quantify,
    Related,
    Rule,
)
from apps.rules.wording import demand, is_breach, name_of, related_name, shown

Outcome = Literal["true", "false", "error"]
MAX_ELEMENTS = 20
"""Elements of an array that are explained one by one."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One part of a rule as it was evaluated.

    `kind` is 'all', 'any', 'not', 'leaf', 'each', 'some', 'element', 'related' or 'constant'. Of a leaf:
    `path` is what it reads, `operator` its operator, `expected` and `actual` the operands as they are shown
    (JSON text, cut; "missing"), `demand` the requirement that is broken, if one is. `at` is the place in the
    policy's document. `error` is the reason of an error.
    """

    kind: str
    outcome: Outcome
    decisive: bool
    at: str = ""
    path: str = ""
    operator: str = ""
    expected: str = ""
    actual: str = ""
    demand: str = ""
    error: str = ""
    parts: tuple[Explanation, ...] = ()

    def leaves(self) -> list[Explanation]:
        """The decisive leaves under this part, in reading order."""
        if not self.decisive:
            return []
        if not self.parts:
            return [self]
        return [leaf for part in self.parts for leaf in part.leaves()]


def explain(rule: CompiledRule | Rule, resource: Resource, inventory: Sequence[Resource] = ()) -> Explanation:
    """Why the rule is true or false of the resource, or has no answer. `inventory` as in `evaluate`."""
    tree = rule.tree if isinstance(rule, CompiledRule) else rule
    return _explain(tree, frame(resource, inventory), decisive=True)


def _outcome(rule: Rule, at: Frame) -> tuple[Outcome, str]:
    try:
        return ("true" if holds(rule, at) else "false"), ""
    except EvaluationError as error:
        return "error", str(error)


def _explain(rule: Rule, at: Frame, *, decisive: bool) -> Explanation:
    outcome, error = _outcome(rule, at)
    match rule:
        case Always():
            return Explanation("constant", outcome, decisive)
        case And(items) | Or(items):
            kind = "all" if isinstance(rule, And) else "any"
            parts = tuple(_part(item, at, outcome, decisive=decisive) for item in items)
            return Explanation(kind, outcome, decisive, rule.at, error=error, parts=parts)
        case Not(item):
            inner = _explain(item, at, decisive=decisive)
            return Explanation("not", outcome, decisive, rule.at, error=error, parts=(inner,))
        case Compare():
            return _leaf(rule, at, outcome, error, decisive=decisive)
        case Quantify():
            return _quantified(rule, at, outcome, error, decisive=decisive)
        case Related():
            return Explanation(
                "related", outcome, decisive, rule.at, path=related_name(rule), operator="exists", error=error
            )


def _part(item: Rule, at: Frame, outcome: Outcome, *, decisive: bool) -> Explanation:
    """A part of an And or Or: decisive if its outcome is that of the whole."""
    own, _ = _outcome(item, at)
    return _explain(item, at, decisive=decisive and own == outcome)


def _leaf(rule: Compare, at: Frame, outcome: Outcome, error: str, *, decisive: bool) -> Explanation:
    breach = outcome != "error" and is_breach(rule, outcome=outcome == "true")
    return Explanation(
        "leaf",
        outcome,
        decisive,
        rule.at,
        path=name_of(rule.left),
        operator=rule.op,
        expected=_expected(rule, at),
        actual=_seen(rule, at, left=True),
        demand=demand(rule, outcome=outcome == "true") if breach else "",
        error=error,
    )


def _expected(rule: Compare, at: Frame) -> str:
    if not isinstance(rule.right, Const):
        return _seen(rule, at, left=False)
    value = shown(rule.right.value)
    return f"{rule.right.label} ({value})" if rule.right.label else value


def _seen(rule: Compare, at: Frame, *, left: bool) -> str:
    try:
        value: JsonOrMissing = value_of(rule.left if left else rule.right, at)
    except EvaluationError:
        return "unknown"
    return "missing" if value is MISSING else shown(value)


def _quantified(rule: Quantify, at: Frame, outcome: Outcome, error: str, *, decisive: bool) -> Explanation:
    try:
        elements = members(rule, at)
    except EvaluationError:
        elements = []
    parts = []
    for position, element in enumerate(elements[:MAX_ELEMENTS]):
        inside = at.with_element(rule.binding, element)
        inner = _part(rule.body, inside, outcome, decisive=decisive)
        parts.append(
            Explanation(
                "element",
                inner.outcome,
                inner.decisive,
                path=f"[{position}]",
                actual=shown(element),
                parts=(inner,),
            )
        )
    kind = "each" if rule.kind == "all" else "some"
    name = name_of(rule.over)
    return Explanation(kind, outcome, decisive, rule.at, path=name, error=error, parts=tuple(parts))
