"""The approval queue: exceptions that wait for a decision, and what was decided."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import action, display
from unfold.sections import TemplateSection

from apps.catalog.models import Resource
from apps.core.filters import StartsWith
from apps.tenancy.admin_base import ReadOnlyDeskModelAdmin
from apps.tenancy.admin_display import STATUS_LABELS, age, clamped, shortened, until
from apps.tenancy.roles import Permission

from ..expressions import shown_exception_status
from ..models import PolicyException
from ..scope import Scope
from ..selectors import selector_words
from ..services.exception_facts import changes_since_asked, impact_of, shown_digest
from .bulk import bulk_decision
from .decisions import APPROVE, DECISIONS, REJECT, REVOKE, already, decide, queue_rows
from .filters import AskedByFilter, RiskFilter, ShownExceptionFilter
from .forms import DecisionForm
from .impact import coverage_of
from .queue import queue_order, with_risk

RISKS = ("", "low", "medium", "high", "critical")
MATCHING_RESOURCES = 100


class ImpactSection(TemplateSection):
    """Opens in the row: what is asked, for what, and which violations change from open to excepted."""

    template_name = "admin/desk/exception_section.html"


@admin.register(PolicyException)
class PolicyExceptionAdmin(ReadOnlyDeskModelAdmin):
    """Looked at by whoever may see the admin, decided on by whoever holds DECIDE and did not ask."""

    list_display = ("request_", "why", "asked_by", "impact", "expiry", "waiting", "decide_")
    list_display_links = ("request_",)
    list_filter = (ShownExceptionFilter, RiskFilter, AskedByFilter)
    list_select_related = ("policy", "resource", "created_by", "decided_by")
    list_sections = (ImpactSection,)
    list_before_template = "admin/desk/queue_hint.html"
    change_form_outer_before_template = "admin/desk/exception_head.html"
    search_fields = ("id", "policy_id")
    search_help_text = "Exception, policy or resource id; how a cloud id begins"
    actions = ("approve_selected", "reject_selected")
    fields = (
        "status", "decided_by", "decided_at", "decision_reason",
    )  # fmt: skip

    class Media:
        js = ("admin_desk/queue.js",)

    # --- rights ---------------------------------------------------------------------------------------
    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._holds(request, Permission.DECIDE)

    # --- the list -------------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return with_risk(super().get_queryset(request).annotate(shown_status=shown_exception_status()))

    def get_ordering(self, request: HttpRequest) -> Sequence[Any]:
        return queue_order(request.user.pk)

    def search_condition(self, request: HttpRequest, term: str) -> Q:
        resources = Resource.objects.filter(Q(pk=term) | Q(StartsWith("native_id", term)))
        found = list(resources.values_list("pk", flat=True)[:MATCHING_RESOURCES])
        return super().search_condition(request, term) | Q(resource_id__in=found)

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        coverage, decides = coverage_of(rows), self.has_decide_permission(request)
        filters = self.get_preserved_filters(request)
        for row in rows:
            row.coverage = coverage[row.pk]
            row.is_own = row.created_by_id == request.user.pk
            row.is_mine = decides and row.status == "pending" and not row.is_own
            row.may_revoke = decides and row.status == "approved"
            row.filters = f"?{filters}" if filters else ""

    @display(description="Exception for")
    def request_(self, row: Any) -> str:
        where = shortened(row.resource.display_id, shown=34) if row.resource else "every resource"
        if row.selector is not None and row.resource is None:
            where = clamped(", ".join(selector_words(row.selector)))
        cell = {"row": row, "risk": RISKS[row.risk], "where": where}
        return render_to_string("admin/desk/cell_request.html", cell)

    @display(description="Asked by")
    def asked_by(self, row: Any) -> str:
        return "you" if row.is_own else str(row.created_by or "–")

    @display(description="Reason")
    def why(self, row: Any) -> str:
        return clamped(row.reason)

    @display(description="Impact")
    def impact(self, row: Any) -> str:
        return render_to_string("admin/desk/cell_impact.html", {"coverage": row.coverage})

    @display(description="Expires")
    def expiry(self, row: Any) -> str:
        return until(row.expires_at)

    @display(description="Age")
    def waiting(self, row: Any) -> str:
        return age(row.created_at)

    @display(description="Decision")
    def decide_(self, row: Any) -> str:
        return render_to_string("admin/desk/cell_decide.html", {"row": row, "label": STATUS_LABELS})

    # --- deciding -------------------------------------------------------------------------------------
    @action(description="Approve selected exceptions", permissions=["decide"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        return bulk_decision(self, request, queryset, APPROVE)

    @action(description="Reject selected exceptions", permissions=["decide"])
    def reject_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        return bulk_decision(self, request, queryset, REJECT)

    def get_urls(self) -> list[URLPattern]:
        decisions = [
            path(
                f"<uuid:object_id>/{verb}/",
                self.admin_site.admin_view(self.decide_view),
                {"verb": verb},
                name=f"findings_policyexception_{verb}",
            )
            for verb in DECISIONS
        ]
        urls: list[URLPattern] = decisions + super().get_urls()
        return urls

    def decide_view(self, request: HttpRequest, object_id: uuid.UUID, verb: str) -> HttpResponseBase:
        """GET shows what is decided on; only a POST with that page's digest decides."""
        exception = queue_rows().filter(pk=object_id).first()
        if exception is None:
            raise Http404("There is no such exception.")
        if not self.has_decide_permission(request, exception):
            raise PermissionDenied("Only an approver decides on exceptions.")
        decision = DECISIONS[verb]
        form = DecisionForm(decision, request.POST or None, initial={"digest": shown_digest(exception)})
        if request.method == "POST" and form.is_valid():
            outcome = decide(decision, exception.pk, **form.cleaned_data)
            if outcome.decided:
                messages.success(request, f"{decision.done.capitalize()}: {exception.reason[:80]}")
            else:
                messages.error(request, f"Not {decision.done}. {outcome.message}")
            return HttpResponseRedirect(self._queue_url(request))
        return self._decide_page(request, exception, decision, form)

    def _decide_page(
        self, request: HttpRequest, exception: Any, decision: Any, form: DecisionForm
    ) -> TemplateResponse:
        self.prepare_rows(request, [exception])
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        is_over = exception.status != decision.from_status
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{decision.verb.capitalize()} this exception?",
            "decision": decision,
            "instance": exception,
            "form": form,
            "digest": shown_digest(exception),
            "over": already(exception) if is_over else "",
            **_weighed(exception),
            "is_own": exception.is_own and decision is not REVOKE,
            "queue_url": self._queue_url(request),
        }
        return TemplateResponse(request, "admin/desk/decide.html", context)

    @staticmethod
    def _queue_url(request: HttpRequest) -> str:
        filters = request.GET.get("_changelist_filters", "")
        url = reverse("admin:findings_policyexception_changelist")
        return f"{url}?{filters}" if filters else url

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        extra = dict(extra_context or {})
        if object_id and (found := self.get_object(request, object_id)):
            self.prepare_rows(request, [found])
            extra |= {"instance": found, "digest": shown_digest(found), **_weighed(found)}
        return super().changeform_view(request, object_id, form_url, extra)


def _weighed(exception: Any) -> dict[str, Any]:
    """What it hides by now, and what has changed since it was asked for: for one that waits."""
    if exception.status != "pending":
        return {}
    impact = impact_of(Scope.of(exception))
    return {"impact": impact, "changes": changes_since_asked(exception, impact)}
