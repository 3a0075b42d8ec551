"""The approval queue: actions that wait for a decision, what is on its way, and what became of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Case, F, Q, QuerySet, SmallIntegerField, Value, When
from django.http import HttpRequest
from django.template.loader import render_to_string
from unfold.decorators import display
from unfold.sections import TemplateSection

from apps.tenancy.admin_deciding import DecidingModelAdmin
from apps.tenancy.admin_display import age
from apps.tenancy.admin_lists import choice_filter

from ..models import ACTION_STATES, Action, ActionApproval
from ..rules import RISKS
from .decisions import DESK, with_approvals

# As text, as the specification's query has it.
WAITING = Q(status="preflight", params__requires_approval=True)


class WaitingFilter(admin.SimpleListFilter):
    title = "approval"
    parameter_name = "approval"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("waiting", "Needs approval"), ("mine", "Mine to decide"), ("asked", "Asked by me")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "asked":
            return queryset.filter(requested_by=request.user.pk)
        if value == "waiting":
            return queryset.filter(WAITING)
        if value == "mine":
            decided = ActionApproval.objects.filter(decided_by=request.user.pk).values("action")
            return queryset.filter(WAITING).exclude(requested_by=request.user.pk).exclude(pk__in=decided)
        return queryset


class RiskFilter(admin.SimpleListFilter):
    title = "risk"
    parameter_name = "risk"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(risk, risk.capitalize()) for risk in reversed(RISKS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        return queryset.filter(risk=RISKS.index(value) + 1) if value in RISKS else queryset


class PlanSection(TemplateSection):
    """Opens in the row: what would become of each resource, how it is undone, and who has approved."""

    template_name = "admin/desk/action_section.html"


@admin.register(Action)
class ActionAdmin(DecidingModelAdmin):
    desk = DESK
    list_display = ("action_", "changes", "requester", "approvals_", "waiting", "decide_")
    list_display_links = ("action_",)
    list_filter = (WaitingFilter, RiskFilter, choice_filter("status", ACTION_STATES))
    list_select_related = ("requested_by",)
    list_sections = (PlanSection,)
    change_form_outer_before_template = "admin/desk/action_head.html"
    search_fields = ("id", "resource_id", "type")
    search_help_text = "Action or resource id, or the kind of action"
    fields = ("status", "waits_for", "attempts", "created_at", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows: QuerySet = with_approvals(super().get_queryset(request))
        return rows

    def get_ordering(self, request: HttpRequest) -> Sequence[Any]:
        return queue_order(request.user.pk)

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        self.desk.prepare(rows)
        ids = [row.pk for row in rows]
        made: dict[Any, list[ActionApproval]] = {}
        for approval in (
            ActionApproval.objects.filter(action__in=ids).select_related("decided_by").order_by("created_at")
        ):
            made.setdefault(approval.action_id, []).append(approval)
        decides, filters = self.has_decide_permission(request), self.get_preserved_filters(request)
        for row in rows:
            row.decided = [a for a in made.get(row.pk, []) if a.plan_revision == row.plan_revision]
            row.is_own = self.desk.is_own(row, request.user.pk)
            row.is_waiting = self.desk.is_open(self.desk.decisions[0], row)
            row.by_me = any(a.decided_by_id == request.user.pk for a in row.decided)
            row.is_mine = decides and row.is_waiting and not row.is_own and not row.by_me
            row.filters = f"?{filters}" if filters else ""
            row.title_, row.where_ = self.desk.name(row), self.desk.where(row)

    @display(description="Action")
    def action_(self, row: Any) -> str:
        return render_to_string("admin/desk/cell_action.html", {"row": row})

    @display(description="What changes")
    def changes(self, row: Any) -> str:
        return render_to_string("admin/desk/cell_changes.html", {"row": row})

    @display(description="Asked by")
    def requester(self, row: Any) -> str:
        return "you" if row.is_own else str(row.requested_by or "–")

    @display(description="Approvals")
    def approvals_(self, row: Any) -> str:
        return f"{row.given} of {row.approvals_needed}" if row.plan_sha256 else "–"

    @display(description="Age")
    def waiting(self, row: Any) -> str:
        return age(row.created_at)

    @display(description="Decision")
    def decide_(self, row: Any) -> str:
        return render_to_string("admin/desk/cell_action_decide.html", {"row": row})


def queue_order(user_id: Any) -> list[Any]:
    """What waits for me first, then what waits for others, high risk and longest wait on top; the rest by its
    last move."""
    small: Any = SmallIntegerField()
    mine = WAITING & ~Q(requested_by=user_id)
    return [
        Case(
            When(mine, then=Value(0)), When(WAITING, then=Value(1)), default=Value(2), output_field=small
        ).asc(),
        Case(When(WAITING, then=F("risk")), default=Value(0), output_field=small).desc(),
        Case(When(WAITING, then=F("created_at"))).asc(nulls_last=True),
        F("updated_at").desc(),
        F("id").desc(),
    ]
