"""Exceptions: the list, one of them, asking for one, renewing and closing it, and what it would hide."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.views import View

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError, InvalidInput
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.models import User
from apps.tenancy.pages import DetailPage, FormPage, ListPage
from apps.tenancy.permissions import RoleRequiredMixin
from apps.tenancy.roles import Permission

from ..filters import ExceptionFilter
from ..forms import EndForm, ExceptionForm, RulesForm
from ..models import PolicyException
from ..queries import exceptions
from ..scope import Scope, scope_of_filters
from ..services.exception_facts import changes_since_asked, impact_of, risk_of
from ..services.exception_rules import exception_rules, set_exception_rules
from ..services.exceptions import close_exception, request_exception
from .past import PastExceptionList


def _words(row: PolicyException) -> str:
    return Scope.of(row).words()


class ExceptionList(ListPage):
    name = "findings.exceptions"
    template_name = "findings/list_with_days.html"
    title = "Exceptions"
    step = Step("findings:exception-create", "Ask for an exception", "request")
    lead = "Leave to break a policy for a while. One person asks, another decides."
    filterset_class = ExceptionFilter
    primary = ("shown_status", "closable")
    unlisted = ("policy", "resource", "requester", "renews")
    labels = {
        "in_force": "In force", "shown_status": "State", "status": "State as stored",
        "closable": "Covers nothing any more",
    }  # fmt: skip
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("subject", "What is excepted", value=_words, css="main",
               cell=lambda e: cells.link(_words(e), "findings:exception-detail", e.pk, note=e.reason)),
        Column("status", "State", value=lambda e: e.shown_status, cell=lambda e: cells.status(e.shown_status)),
        Column("requested_by", "Asked by", value=lambda e: e.created_by and str(e.created_by)),
        Column("decided_by", "Decided by", value=lambda e: e.decider.get("name")),
        Column("expires_at", "Ends", cell=lambda e: cells.moment(e.expires_at), css="when"),
        Column("idle_since", "Idle since", cell=lambda e: cells.moment(e.idle_since), css="when"),
        Column("created_at", "Asked", cell=lambda e: cells.moment(e.created_at), sort="recent", css="when"),
        Column("id", "Id", shown=False),
        Column("policy_id", "Policy id", shown=False),
        Column("resource_id", "Resource id", shown=False),
        Column("selector", "Filters", shown=False),
        Column("reason", "Reason", shown=False),
        Column("compensating_control", "Compensating control", shown=False),
        Column("renewal", "Renewal", shown=False),
        Column("renews_id", "Renews", shown=False),
        Column("decided_at", "Decided", shown=False),
        Column("decision_reason", "Reason of the decision", shown=False),
        Column("decision_sha256", "Digest of the decision", shown=False),
        Column("ended_at", "Ended", shown=False),
        Column("end_kind", "Ended by", shown=False),
        Column("end_reason", "Reason of its end", shown=False),
    )  # fmt: skip

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("as_of"):
            return PastExceptionList.as_view()(request, *args, **kwargs)
        return super().get(request, *args, **kwargs)

    def rows(self) -> QuerySet[Any]:
        return exceptions()

    def empty(self) -> Emptiness:
        return Emptiness(
            "No exceptions",
            "Nobody has asked for one. Open a violation and ask there: the form shows what it would hide.",
            "findings:violation-list",
            "Look at the violations",
        )


class ExceptionDetail(DetailPage):
    template_name = "findings/exception_detail.html"

    def get_queryset(self) -> QuerySet[Any]:
        return exceptions().select_related("ended_by", "renews")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        exception: Any = self.object
        user = cast(User, self.request.user)
        impact, changes = None, []
        if exception.shown_status == "pending":
            impact = impact_of(Scope.of(exception))
            changes = changes_since_asked(exception, impact)
        own = exception.created_by_id == user.pk
        may_close = exception.shown_status == "approved" and (own or user.has_perm(Permission.DECIDE))
        return super().get_context_data(
            title=_words(exception),
            impact=impact,
            changes=changes,
            may_close=may_close or (exception.shown_status == "pending" and own),
            may_renew=_may_renew(exception) and user.has_perm(Permission.REQUEST),
            renewals=exception.renewals.order_by("created_at"),
            filters=self._filters(exception),
            **kwargs,
        )

    @staticmethod
    def _filters(exception: PolicyException) -> str:
        """The query of the violation list that shows what it speaks of."""
        query = QueryDict(mutable=True)
        for name, value in {
            "policy": exception.policy_id, "resource": exception.resource_id, **(exception.selector or {}),
        }.items():  # fmt: skip
            if value and name != "later":
                query.setlist(name, value if isinstance(value, list) else [value])
        return query.urlencode()


def _may_renew(exception: Any) -> bool:
    return (
        exception.status in ("approved", "expired")
        and bool(exception.decided_by_id)
        and (exception.end_kind not in ("revoked", "renewed"))
    )


class ExceptionCreate(FormPage):
    """Asks: for a policy and a resource, for `?filters=` of the violation list, or to renew `?renews=`."""

    permission = Permission.REQUEST
    template_name = "findings/exception_create.html"
    form_class = ExceptionForm
    done = "Your request is with the approvers. Until one of them decides, nothing is hidden."

    def get_initial(self) -> dict[str, Any]:
        initial = {
            name: self.request.GET.get(name, "") for name in ("policy", "resource", "filters", "renews")
        }
        former = self.former
        if former is not None:
            initial |= {"reason": former.reason, "compensating_control": former.compensating_control}
        return initial

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"endless": exception_rules().endless}

    @cached_property
    def former(self) -> PolicyException | None:
        """What is renewed; a 404 for what is not there."""
        given = self.request.POST.get("renews") or self.request.GET.get("renews")
        if not given:
            return None
        form = ExceptionForm({"renews": given})
        form.is_valid()
        return get_object_or_404(exceptions(), pk=getattr(form.cleaned_data.get("renews"), "pk", None))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        filters = self.request.POST.get("filters") or self.request.GET.get("filters", "")
        words, problem = "", ""
        if self.former is not None:
            words = _words(self.former)
        elif filters:
            try:
                words = scope_of_filters(QueryDict(filters), later=False).words().rpartition(", ")[0]
            except InvalidInput as error:
                problem = str(error)
        return context | {
            "title": "Renew an exception" if self.former else "Ask for an exception",
            "set_words": words, "set_problem": problem, "former": self.former, "of_filters": bool(filters),
            "rules": exception_rules(),
        }  # fmt: skip

    def act(self, form: ExceptionForm) -> str:
        data = form.cleaned_data
        exception = request_exception(
            scope=data["of"],
            reason=data["reason"],
            compensating_control=data["compensating_control"],
            expires_at=data["expires_at"],
            renews=data["renews"],
        )
        return reverse("findings:exception-detail", args=[exception.pk])


class ExceptionClose(FormPage):
    """Asks once more, then ends it: by whoever asked for it, or an approver."""

    permission = Permission.VIEW
    template_name = "findings/exception_close.html"
    form_class = EndForm
    done = "The exception is closed. What it hid is open again, unless another exception covers it."

    @cached_property
    def exception(self) -> PolicyException:
        return get_object_or_404(exceptions(), pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title="Close this exception?", exception=self.exception, words=_words(self.exception), **kwargs
        )

    def act(self, form: EndForm) -> str:
        close_exception(exception=self.exception, reason=form.cleaned_data["reason"])
        return reverse("findings:exception-detail", args=[self.exception.pk])


class ExceptionPreview(RoleRequiredMixin, View):
    """A fragment: how many violations the exception would hide, and how long it may last, as the form stands."""

    permission = Permission.REQUEST

    def get(self, request: HttpRequest) -> HttpResponse:
        form = ExceptionForm(request.GET)
        # The reason and the term may still be missing: only what is excepted counts here.
        for name in ("reason", "expires_at", "compensating_control"):
            del form.fields[name]
        context: dict[str, Any] = {"previewed": True, "problem": ""}
        if form.is_valid():
            try:
                scope = form.cleaned_data["of"]
                impact, rules = impact_of(scope), exception_rules()
                risk = risk_of(scope, impact)
                context |= {"impact": impact, "risk": risk, "longest": rules.longest(risk)}
            except GovernanceError as error:
                context["problem"] = str(error)
        else:
            context["problem"] = " ".join(str(m) for messages in form.errors.values() for m in messages)
        return TemplateResponse(request, "findings/_impact.html", context)


class ExceptionRulesPage(FormPage):
    """The tenant's rules: longest term by severity, without an end or not, when to warn."""

    permission = Permission.MANAGE
    template_name = "findings/exception_rules.html"
    form_class = RulesForm
    done = "The rules are saved. They bind what is asked for and approved from now on."

    def get_initial(self) -> dict[str, Any]:
        rules = exception_rules()
        warn = ", ".join(map(str, rules.warn_days))
        return {**rules.longest_days, "endless": rules.endless, "warn_days": warn}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Rules for exceptions", **kwargs)

    def act(self, form: RulesForm) -> str:
        set_exception_rules(**form.rules())
        return reverse("findings:exception-rules")
