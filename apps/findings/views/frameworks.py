"""Frameworks, the controls of one, and one control with its policies; now, or as of a past day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404

from apps.catalog.models import Control, Framework, Policy, PolicyControl
from apps.catalog.services.framework_files import library
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.names import names_of_actors
from apps.tenancy.pages import DetailPage, ListPage

from ..as_of import AsOfPage
from ..charts import state_chart
from ..filters import ControlFilter, FrameworkFilter
from ..forms import MappingForm
from ..history import first_day
from ..posture import (
    ControlPosture,
    FrameworkPosture,
    control_postures,
    framework_postures,
    trend_of,
)
from ..posture.standing import controls_in_force
from ..posture.trend import days_back
from ..posture_cells import shares, state

TREND_DAYS = 60


class FrameworkList(AsOfPage, ListPage):
    name = "findings.frameworks"
    title = "Frameworks"
    lead = "What you are held to, and how far the estate holds to it. What is not assessed never counts as satisfied."
    template_name = "findings/framework_list.html"
    step = Step("catalog:framework-import", "Import a framework", "manage")
    filterset_class = FrameworkFilter
    primary = ("as_of",)
    labels = {"as_of": "As of the end of"}
    sorts = (Sort("title", "By title", Keyset("title", "id")),)
    columns = (
        Column("title", "Framework", css="main",
               cell=lambda f: cells.link(f.title, "findings:framework-detail", f.pk, note=f.version)),
        Column("key", "Key", shown=False),
        Column("version", "Version", shown=False),
        Column("shares", "Controls by state", value=lambda f: None, cell=lambda f: shares(f.posture), css="wide"),
        Column("controls", "Controls", value=lambda f: f.posture.controls, shown=False),
        Column("satisfied", "Satisfied", value=lambda f: f.posture.by_state["satisfied"], css="num"),
        Column("not_satisfied", "Not satisfied", value=lambda f: f.posture.by_state["not_satisfied"], css="num"),
        Column("excepted", "Excepted", value=lambda f: f.posture.by_state["excepted"], css="num"),
        Column("not_assessed", "Not assessed", value=lambda f: f.posture.by_state["not_assessed"], css="num"),
        Column("failing_checks", "Failing checks", value=lambda f: f.posture.failing,
               cell=lambda f: cells.number(f.posture.failing), css="num"),
        Column("retention_years", "Evidence kept", cell=lambda f: years(f.retention_years), shown=False),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        kept = Q(retired_at=None) | Q(retired_at__gte=self.before)
        return Framework.objects.filter(kept, created_at__lt=self.before)

    def decorate(self, rows: list[Any]) -> None:
        for row in rows:
            row.posture = self._postures.get(row.pk) or FrameworkPosture(row)

    @cached_property
    def _postures(self) -> Mapping[UUID, FrameworkPosture]:
        return {p.framework.pk: p for p in framework_postures(self.before, is_now=self.is_now)}

    def empty(self) -> Emptiness:
        return Emptiness(
            "No frameworks yet" if self.is_now else "There was no framework on that day",
            "Take one of the library below, or import one of your own. Policies that name their controls bring the "
            "frameworks along.",
        )

    def extra_context(self) -> dict[str, Any]:
        there = set(Framework.objects.filter(retired_at=None).values_list("key", flat=True))
        return {"library": [draft for draft in library().values() if draft.key not in there]}


def shown_days(last: date | None) -> tuple[date, date]:
    """The days of a chart: the last ones, a week at least, but none from before there was anything."""
    begins, ends = days_back(TREND_DAYS, last)
    known = first_day() or ends
    return min(max(begins, known), ends - timedelta(days=6)), ends


def years(number: int) -> str:
    return cells.coded("1 year" if number == 1 else f"{number} years")


class FrameworkDetail(AsOfPage, ListPage):
    """The controls of a framework, in its order, below how many are in each state and were on the days before."""

    name = "findings.controls"
    title = "Controls"
    template_name = "findings/framework_detail.html"
    filterset_class = ControlFilter
    primary = ("state", "search", "as_of")
    labels = {"as_of": "As of the end of", "search": "Title contains"}
    size = 100
    sorts = (Sort("order", "In the framework's order", Keyset("position", "id")),)
    columns = (
        Column("label", "Control", css="main",
               cell=lambda c: cells.link(c.label, "findings:control-detail", c.pk, note=c.title)),
        Column("code", "Code", shown=False),
        Column("title", "Title", shown=False),
        Column("group", "Group", value=lambda c: c.parent and c.parent.title, shown=False),
        Column("state", "State", value=lambda c: c.posture.state, cell=lambda c: state(c.posture), css="wide"),
        Column("reason", "Why it is not assessed", value=lambda c: c.posture.reason, shown=False),
        Column("policies", "Policies", value=lambda c: c.posture.policies, css="num"),
        Column("policies_not_assessed", "Policies not assessed", value=lambda c: c.posture.not_assessed, shown=False),
        Column("resources", "Resources assessed", value=lambda c: c.posture.resources,
               cell=lambda c: cells.number(c.posture.resources), css="num"),
        Column("checks", "Checks", value=lambda c: c.posture.checks,
               cell=lambda c: cells.number(c.posture.checks), css="num"),
        Column("failing", "Failing", value=lambda c: c.posture.failing,
               cell=lambda c: cells.number(c.posture.failing), css="num"),
        Column("excepted", "Excepted", value=lambda c: c.posture.excepted,
               cell=lambda c: cells.number(c.posture.excepted), css="num"),
        Column("undecided", "Without an answer", value=lambda c: c.posture.undecided, shown=False),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    @cached_property
    def framework(self) -> Framework:
        return get_object_or_404(Framework, pk=self.kwargs["pk"])

    @cached_property
    def postures(self) -> Mapping[UUID, ControlPosture]:
        """Of every control of the framework, whatever the filters: they are judged together."""
        return control_postures(self._all, self.before, is_now=self.is_now)

    @cached_property
    def _all(self) -> list[Control]:
        return list(controls_in_force(self.before).filter(framework=self.framework))

    def rows(self) -> QuerySet[Any]:
        rows = controls_in_force(self.before).filter(framework=self.framework).select_related("parent")
        wanted = set(self.request.GET.getlist("state"))
        if wanted:
            rows = rows.filter(pk__in=[pk for pk, p in self.postures.items() if p.state in wanted])
        return rows

    def decorate(self, rows: list[Any]) -> None:
        for row in rows:
            row.posture = self.postures[row.pk]

    def empty(self) -> Emptiness:
        return Emptiness("No controls", "This framework had no controls then.")

    def extra_context(self) -> dict[str, Any]:
        whole = FrameworkPosture(self.framework, controls=len(self._all))
        for posture in self.postures.values():
            whole.by_state[posture.state] += 1
            whole.failing += posture.failing
            whole.excepted += posture.excepted
        first, last = shown_days(self.as_of.day if self.as_of else None)
        return {
            "framework": self.framework,
            "title": self.framework.title,
            "whole": whole,
            "chart": state_chart(trend_of(self._all, first, last)),
            "as_of": self.as_of,
        }


class ControlDetail(AsOfPage, DetailPage):
    template_name = "findings/control_detail.html"
    queryset = Control.objects.select_related("framework", "parent")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        control: Any = self.object
        posture = control_postures([control], self.before, is_now=self.is_now)[control.pk]
        ids = [verdict.policy_id for verdict in posture.verdicts]
        policies = Policy.objects.defer("metadata", "parameters").in_bulk(ids)
        mappings = PolicyControl.objects.filter(control=control).select_related("policy")
        history = list(mappings.order_by("-added_at", "-id")[:100])
        names = names_of_actors(
            [m.added_by for m in history] + [m.removed_by for m in history if m.removed_by]
        )
        first, last = shown_days(self.as_of.day if self.as_of else None)
        active = {m.policy_id: m for m in history if m.removed_at is None}
        return super().get_context_data(
            title=str(control),
            as_of=self.as_of,
            posture=posture,
            verdicts=[(v, policies.get(v.policy_id), active.get(v.policy_id)) for v in posture.verdicts],
            history=[(m, names[m.added_by], names[m.removed_by] if m.removed_by else None) for m in history],
            chart=state_chart(trend_of([control], first, last)),
            children=control.children.filter(retired_at=None).order_by("position", "id")[:200],
            form=MappingForm(),
            **kwargs,
        )
