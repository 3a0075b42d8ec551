"""Posture of frameworks and their controls as of an instant: a handful of set-based queries, whatever the estate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.catalog.models import Control, Framework, PolicyControl

from .facts import Facts, load_facts
from .judging import NOT_ASSESSED, STATES, ControlPosture, PolicyVerdict, judge_control, judge_policy


@dataclass
class FrameworkPosture:
    """How many controls of a framework (groups not counted) are in each state, and what was looked at."""

    framework: Framework
    controls: int = 0
    by_state: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    failing: int = 0
    excepted: int = 0

    @property
    def assessed(self) -> int:
        return self.controls - self.by_state[NOT_ASSESSED]

    @property
    def satisfied_share(self) -> float | None:
        """Of the controls that were assessed, the part that is satisfied; None where none was."""
        return self.by_state["satisfied"] / self.assessed if self.assessed else None


def frameworks_in_force(before: datetime) -> QuerySet[Framework]:
    return Framework.objects.filter(Q(retired_at=None) | Q(retired_at__gte=before), created_at__lt=before)


def controls_in_force(before: datetime) -> QuerySet[Control]:
    """Controls, without groups, that their framework had just before an instant."""
    there = Q(created_at__lt=before) & (Q(retired_at=None) | Q(retired_at__gte=before))
    kept = Q(framework__retired_at=None) | Q(framework__retired_at__gte=before)
    return Control.objects.filter(there, kept, is_group=False)


def mappings_in_force(before: datetime) -> QuerySet[PolicyControl]:
    return PolicyControl.objects.filter(Q(removed_at=None) | Q(removed_at__gte=before), added_at__lt=before)


def policies_by_control(mappings: QuerySet[PolicyControl]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    for control_id, policy_id in mappings.order_by("control_id", "policy_id").values_list(
        "control_id", "policy_id"
    ):
        found.setdefault(control_id, []).append(policy_id)
    return found


def control_postures(
    controls: Sequence[Control], before: datetime, *, is_now: bool
) -> Mapping[UUID, ControlPosture]:
    """The posture of each control just before an instant."""
    mappings = mappings_in_force(before).filter(control__in=[control.pk for control in controls])
    serving = policies_by_control(mappings)
    facts = load_facts({p for policies in serving.values() for p in policies}, before, is_now=is_now)
    return postures_of((control.pk for control in controls), serving, facts)


def postures_of(
    controls: Iterable[UUID], serving: Mapping[UUID, Sequence[str]], facts: Facts
) -> dict[UUID, ControlPosture]:
    verdicts = {p: judge_policy(p, facts) for policies in serving.values() for p in policies}
    return {
        control: judge_control([verdicts[p] for p in serving.get(control, ())], facts.population)
        for control in controls
    }


def policy_verdicts(control: Control, before: datetime, *, is_now: bool) -> Mapping[str, PolicyVerdict]:
    """The verdict of each policy that served a control just before an instant."""
    posture = control_postures([control], before, is_now=is_now)[control.pk]
    return {verdict.policy_id: verdict for verdict in posture.verdicts}


def framework_postures(before: datetime, *, is_now: bool) -> list[FrameworkPosture]:
    """Every framework in force just before an instant, by title."""
    found = {f.pk: FrameworkPosture(f) for f in frameworks_in_force(before).order_by("title", "id")}
    controls = list(controls_in_force(before).filter(framework__in=list(found)))
    postures = control_postures(controls, before, is_now=is_now)
    for control in controls:
        of, posture = found[control.framework_id], postures[control.pk]
        of.controls += 1
        of.by_state[posture.state] += 1
        of.failing += posture.failing
        of.excepted += posture.excepted
    return list(found.values())
