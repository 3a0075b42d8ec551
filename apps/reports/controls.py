"""Frameworks and controls as of the cut: what controls.csv, OSCAL and the document tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.catalog.models import Control, Framework, Policy
from apps.core.context import current_tenant_id, tenant_transaction
from apps.findings.posture import ControlPosture, PolicyVerdict, control_postures
from apps.findings.posture.standing import controls_in_force, frameworks_in_force

from .period import Period

COLUMNS = (
    "framework", "framework_title", "control", "label", "title", "group", "state", "reason", "policies",
    "policies_not_assessed", "resources_assessed", "checks", "passing", "failing", "excepted", "undecided",
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A framework in force at the cut with its controls in order and their postures."""

    framework: Framework
    controls: Sequence[tuple[Control, ControlPosture]]

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for _, posture in self.controls:
            found[posture.state] = found.get(posture.state, 0) + 1
        return found


@dataclass(frozen=True)
class Assessment:
    """What a report says of frameworks; `names` are those of the policies that it speaks of."""

    judged: Sequence[Judged]
    names: Mapping[str, str]

    @property
    def verdicts(self) -> dict[str, PolicyVerdict]:
        """Each policy once, whatever number of controls it serves."""
        return {
            verdict.policy_id: verdict
            for one in self.judged
            for _, posture in one.controls
            for verdict in posture.verdicts
        }

    def rows(self) -> list[dict[str, Any]]:
        return [_row(one.framework, c, p) for one in self.judged for c, p in one.controls]


def assess(period: Period, framework_id: UUID | None) -> Assessment:
    """The postures of one framework's controls, or of all frameworks', just before the cut."""
    with tenant_transaction(current_tenant_id()):
        frameworks = frameworks_in_force(period.cut)
        if framework_id is not None:
            frameworks = frameworks.filter(pk=framework_id)
        judged = [_judged(framework, period) for framework in frameworks.order_by("title", "id")]
        serving = {v.policy_id for one in judged for _, p in one.controls for v in p.verdicts}
        names = dict(Policy.objects.filter(pk__in=serving).values_list("id", "name"))
    return Assessment(judged, names)


def _judged(framework: Framework, period: Period) -> Judged:
    rows = controls_in_force(period.cut).filter(framework=framework).select_related("parent")
    controls = list(rows.order_by("position", "id"))
    postures = control_postures(controls, period.cut, is_now=False)
    return Judged(framework, [(control, postures[control.pk]) for control in controls])


def _row(framework: Framework, control: Control, posture: ControlPosture) -> dict[str, Any]:
    return {
        "framework": framework.key,
        "framework_title": framework.title,
        "control": control.code,
        "label": control.label,
        "title": control.title,
        "group": control.parent.title if control.parent is not None else "",
        "state": posture.state,
        "reason": posture.reason,
        "policies": posture.policies,
        "policies_not_assessed": posture.not_assessed,
        "resources_assessed": posture.resources,
        "checks": posture.checks,
        "passing": posture.passing,
        "failing": posture.failing,
        "excepted": posture.excepted,
        "undecided": posture.undecided,
    }
