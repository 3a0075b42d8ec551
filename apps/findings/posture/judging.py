"""What is said of a policy and of a control, from plain facts. No query here.

Nothing unknown is ever shown as passing: a control is satisfied only if every policy that serves it has been
judged as it stands, at least one of them over at least one resource, and none has a violation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .facts import Facts, PolicyFacts

SATISFIED, NOT_SATISFIED, EXCEPTED, NOT_ASSESSED = "satisfied", "not_satisfied", "excepted", "not_assessed"
STATES = (NOT_SATISFIED, EXCEPTED, SATISFIED, NOT_ASSESSED)

FAILING, PASSING, EMPTY = "failing", "passing", "no_resources"
STATUS_REASONS = {
    "disabled": "is disabled",
    "draft": "is a draft",
    "needs_parameters": "lacks a parameter's value",
    "unsupported": "can't be decided here",
    "invalid": "is damaged",
}


@dataclass(frozen=True)
class PolicyVerdict:
    """A policy's part in a control. `state` is failing, excepted, passing, no_resources or not_assessed;
    `reason` says why not. Counts are in resources, which for one policy is in violations."""

    policy_id: str
    state: str
    reason: str = ""
    evaluated: int = 0
    failing: int = 0
    excepted: int = 0
    undecided: int = 0
    cells: frozenset[tuple[str, str]] = frozenset()

    @property
    def passing(self) -> int:
        return max(self.evaluated - self.failing - self.excepted - self.undecided, 0)


@dataclass(frozen=True)
class ControlPosture:
    """`resources` are distinct resources that any of the control's policies looked at; the other counts are
    checks: one policy over one resource."""

    state: str
    reason: str = ""
    policies: int = 0
    not_assessed: int = 0
    resources: int = 0
    checks: int = 0
    failing: int = 0
    excepted: int = 0
    undecided: int = 0
    verdicts: tuple[PolicyVerdict, ...] = field(default=(), repr=False)

    @property
    def passing(self) -> int:
        return max(self.checks - self.failing - self.excepted - self.undecided, 0)


def judge_policy(policy_id: str, facts: Facts) -> PolicyVerdict:
    known = facts.policies.get(policy_id, PolicyFacts())
    open_, excepted = facts.counts.get(policy_id, (0, 0))
    why_not = _why_not(known)
    if why_not:
        # What it has found before still stands: that is shown, though it is no assessment.
        return PolicyVerdict(policy_id, NOT_ASSESSED, why_not, failing=open_, excepted=excepted)
    seen = known.evaluation
    assert seen is not None  # noqa: S101  (else _why_not had said so)
    cells = seen.cells(facts.population)
    if open_:
        state, reason = FAILING, ""
    elif seen.undecided:
        state, reason = NOT_ASSESSED, f"has no answer for {seen.undecided:,} resources"
    elif excepted:
        state, reason = EXCEPTED, ""
    elif seen.evaluated:
        state, reason = PASSING, ""
    else:
        state, reason = EMPTY, "there are no resources that it looks at"
    evaluated = max(seen.evaluated, open_ + excepted + seen.undecided)
    return PolicyVerdict(policy_id, state, reason, evaluated, open_, excepted, seen.undecided, cells)


def _why_not(known: PolicyFacts) -> str:
    if known.status != "active":
        return STATUS_REASONS.get(known.status, "was not there")
    seen = known.evaluation
    if seen is None:
        return "has not been scanned yet"
    if seen.outcome != "judged":
        return "failed to run in the last scan"
    if known.ruled_at is not None and seen.at < known.ruled_at:
        return "has changed since the last scan"
    return ""


def judge_control(
    verdicts: Iterable[PolicyVerdict], population: Mapping[tuple[str, str], int]
) -> ControlPosture:
    found = tuple(verdicts)
    open_questions = [v for v in found if v.state == NOT_ASSESSED]
    states = {v.state for v in found}
    if any(v.failing for v in found):
        state, reason = NOT_SATISFIED, ""
    elif open_questions:
        state, reason = NOT_ASSESSED, _of(open_questions, found)
    elif EXCEPTED in states:
        state, reason = EXCEPTED, ""
    elif PASSING in states:
        state, reason = SATISFIED, ""
    elif found:
        state, reason = NOT_ASSESSED, "there are no resources that its policies look at"
    else:
        state, reason = NOT_ASSESSED, "no policy serves it"
    cells = frozenset[tuple[str, str]]().union(*(v.cells for v in found))
    return ControlPosture(
        state=state,
        reason=reason,
        policies=len(found),
        not_assessed=len(open_questions),
        resources=sum(population.get(cell, 0) for cell in cells),
        checks=sum(v.evaluated for v in found),
        failing=sum(v.failing for v in found),
        excepted=sum(v.excepted for v in found),
        undecided=sum(v.undecided for v in found),
        verdicts=found,
    )


def _of(open_questions: list[PolicyVerdict], found: tuple[PolicyVerdict, ...]) -> str:
    reasons = sorted({v.reason for v in open_questions})
    told = reasons[0] if len(reasons) == 1 else f"{reasons[0]}, and others"
    if len(found) == 1:
        return f"its policy {told}"
    return f"{len(open_questions)} of {len(found)} policies: {told}"
