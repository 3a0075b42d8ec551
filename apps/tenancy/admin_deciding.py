"""The base of a queue in the admin whose rows are decided on: a page a decision, and decisions on many."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import action

from .admin_base import ReadOnlyDeskModelAdmin
from .admin_bulk import bulk_decision
from .admin_decisions import Decision, DecisionDesk, DecisionForm
from .roles import Permission


class DecidingModelAdmin(ReadOnlyDeskModelAdmin):
    """Looked at by whoever may see the admin, decided on by whoever holds DECIDE and did not ask.

    Unfold's row actions are links: a link only opens a page, and that page's POST decides.
    """

    desk: ClassVar[DecisionDesk]
    list_before_template = "admin/desk/queue_hint.html"
    actions = ("approve_selected", "reject_selected")

    class Media:
        js = ("admin_desk/queue.js",)

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._holds(request, Permission.DECIDE)

    def get_actions(self, request: HttpRequest) -> Any:
        """With the rows' own noun in each action's words."""
        found = super().get_actions(request)
        return {
            name: (function, name, words.replace("rows", self.desk.nouns))
            for name, (function, name, words) in found.items()
        }

    @action(description="Approve selected rows", permissions=["decide"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        return bulk_decision(self, request, queryset, self.desk, self.desk.decision("approve"))

    @action(description="Reject selected rows", permissions=["decide"])
    def reject_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponseBase | None:
        return bulk_decision(self, request, queryset, self.desk, self.desk.decision("reject"))

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        decisions = [
            path(
                f"<uuid:object_id>/{decision.verb}/",
                self.admin_site.admin_view(self.decide_view),
                {"verb": decision.verb},
                name=f"{name}_{decision.verb}",
            )
            for decision in self.desk.decisions
        ]
        urls: list[URLPattern] = decisions + super().get_urls()
        return urls

    def decide_view(self, request: HttpRequest, object_id: uuid.UUID, verb: str) -> HttpResponseBase:
        """GET shows what is decided on; only a POST with that page's digest decides."""
        row = self.desk.rows().filter(pk=object_id).first()
        if row is None:
            raise Http404(f"There is no such {self.desk.noun}.")
        if not self.has_decide_permission(request, row):
            raise PermissionDenied(f"Only an approver decides on {self.desk.nouns}.")
        decision = self.desk.decision(verb)
        form = DecisionForm(decision, request.POST or None, initial={"digest": self.desk.digest(row)})
        if request.method == "POST" and form.is_valid():
            outcome = self.desk.decide(decision, row.pk, **form.cleaned_data)
            if outcome.decided:
                messages.success(request, f"{decision.done.capitalize()}: {self.desk.told(row)[:80]}")
            else:
                messages.error(request, f"Not {decision.done}. {outcome.message}")
            return HttpResponseRedirect(self._queue_url(request))
        return self._decide_page(request, row, decision, form)

    def _decide_page(
        self, request: HttpRequest, row: Any, decision: Decision, form: DecisionForm
    ) -> TemplateResponse:
        self.prepare_rows(request, [row])
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{decision.verb.capitalize()} this {self.desk.noun}?",
            "desk": self.desk,
            "decision": decision,
            "instance": row,
            "name": self.desk.name(row),
            "form": form,
            "digest": self.desk.digest(row),
            "over": "" if self.desk.is_open(decision, row) else self.desk.already(row),
            "is_own": self.desk.forbids_own(decision) and self.desk.is_own(row, request.user.pk),
            "queue_url": self._queue_url(request),
        }
        return TemplateResponse(request, "admin/desk/decide.html", context)

    def _queue_url(self, request: HttpRequest) -> str:
        filters = request.GET.get("_changelist_filters", "")
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
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
            extra |= {"instance": found, "digest": self.desk.digest(found)}
        return super().changeform_view(request, object_id, form_url, extra)
