"""Exceptions: the list, one of them, asking for one, and what it would hide."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.pages import DetailPage, FormPage, ListPage
from apps.tenancy.permissions import RoleRequiredMixin
from apps.tenancy.roles import Permission

from ..filters import ExceptionFilter
from ..forms import ExceptionForm
from ..models import PolicyException
from ..services.exceptions import exception_impact, request_exception
from .past import PastExceptionList


def _subject(row: PolicyException) -> str:
    return f"{row.policy or 'Every policy'} on {row.resource or 'every resource'}"


class ExceptionList(ListPage):
    name = "findings.exceptions"
    template_name = "findings/list_with_days.html"
    title = "Exceptions"
    step = Step("findings:exception-create", "Ask for an exception", "request")
    lead = "Leave to break a policy for a while. One person asks, another decides."
    filterset_class = ExceptionFilter
    primary = ("status", "in_force")
    unlisted = ("policy", "resource", "requester")
    labels = {"in_force": "In force"}
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("subject", "What is excepted", value=_subject, css="main",
               cell=lambda e: cells.link(_subject(e), "findings:exception-detail", e.pk, note=e.reason)),
        Column("status", "State", cell=lambda e: cells.status(e.status)),
        Column("requested_by", "Asked by", value=lambda e: e.created_by and str(e.created_by)),
        Column("decided_by", "Decided by", value=lambda e: e.decided_by and str(e.decided_by)),
        Column("expires_at", "Ends", cell=lambda e: cells.moment(e.expires_at), css="when"),
        Column("created_at", "Asked", cell=lambda e: cells.moment(e.created_at), sort="recent", css="when"),
        Column("id", "Id", shown=False),
        Column("policy_id", "Policy id", shown=False),
        Column("resource_id", "Resource id", shown=False),
        Column("reason", "Reason", shown=False),
        Column("decided_at", "Decided", shown=False),
        Column("decision_reason", "Reason of the decision", shown=False),
    )  # fmt: skip

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("as_of"):
            return PastExceptionList.as_view()(request, *args, **kwargs)
        return super().get(request, *args, **kwargs)

    def rows(self) -> QuerySet[Any]:
        return PolicyException.objects.select_related("policy", "resource", "created_by", "decided_by")

    def empty(self) -> Emptiness:
        return Emptiness(
            "No exceptions",
            "Nobody has asked for one. Open a violation and ask there: the form shows what it would hide.",
            "findings:violation-list",
            "Look at the violations",
        )


class ExceptionDetail(DetailPage):
    template_name = "findings/exception_detail.html"
    queryset = PolicyException.objects.select_related("policy", "resource", "created_by", "decided_by")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        exception: Any = self.object
        impact = None
        if exception.status == "pending" and (exception.policy_id or exception.resource_id):
            impact = exception_impact(policy=exception.policy, resource=exception.resource)
        return super().get_context_data(title=_subject(exception), impact=impact, **kwargs)


class ExceptionCreate(FormPage):
    permission = Permission.REQUEST
    template_name = "findings/exception_create.html"
    form_class = ExceptionForm
    done = "Your request is with the approvers. Until one of them decides, nothing is hidden."

    def get_initial(self) -> dict[str, Any]:
        names = ("policy", "resource")
        return {name: self.request.GET.get(name, "") for name in names}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Ask for an exception", **kwargs)

    def act(self, form: ExceptionForm) -> str:
        data = form.cleaned_data
        exception = request_exception(
            policy=data["policy"],
            resource=data["resource"],
            reason=data["reason"],
            expires_at=data["expires_at"],
        )
        return reverse("findings:exception-detail", args=[exception.pk])


class ExceptionPreview(RoleRequiredMixin, View):
    """A fragment: how many violations the exception would hide, as the form stands."""

    permission = Permission.REQUEST

    def get(self, request: HttpRequest) -> HttpResponse:
        form = ExceptionForm(request.GET)
        # The reason and the term may still be missing: only what is excepted counts here.
        for name in ("reason", "expires_at"):
            del form.fields[name]
        impact, problem = None, ""
        if form.is_valid():
            try:
                impact = exception_impact(
                    policy=form.cleaned_data["policy"], resource=form.cleaned_data["resource"]
                )
            except GovernanceError as error:
                problem = str(error)
        else:
            problem = " ".join(str(message) for messages in form.errors.values() for message in messages)
        return TemplateResponse(
            request, "findings/_impact.html", {"impact": impact, "problem": problem, "previewed": True}
        )
