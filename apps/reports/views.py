"""Evidence reports: the list, asking for one, one with its manifest, and its download."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views import View

from apps.catalog.models import Framework
from apps.core import cells
from apps.core.columns import Column
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.emptiness import Emptiness
from apps.core.errors import GovernanceError
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.core.requests import non_atomic
from apps.jobs.models import Job
from apps.tenancy.pages import DetailPage, FormPage, ListPage
from apps.tenancy.permissions import RoleRequiredMixin
from apps.tenancy.roles import Permission

from .filters import ReportFilter
from .models import Report
from .scope import ReportScope
from .services import report_download_url, request_report


def _period(report: Report) -> str:
    return f"{report.period_from} to {report.period_to}"


def _scope(report: Report) -> str:
    return ReportScope.of(report.scope).words()


class ReportList(ListPage):
    name = "reports.reports"
    title = "Evidence reports"
    step = Step("reports:report-create", "Build a report", "export")
    lead = "Bundles for an auditor: controls, violations, exceptions and the audit trail of a period, checked offline."
    filterset_class = ReportFilter
    primary = ("status", "period_from", "period_to")
    labels = {"period_from": "Begins on or after", "period_to": "Ends on or before"}
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("period", "Period", value=_period, css="main",
               cell=lambda r: cells.link(_period(r), "reports:report-detail", r.pk)),
        Column("framework", "Framework", value=lambda r: r.framework and r.framework.title),
        Column("scope", "Of", value=_scope, css="wide"),
        Column("status", "State", cell=lambda r: cells.status(r.status)),
        Column("requested_by", "Asked by", value=lambda r: r.requested_by and str(r.requested_by)),
        Column("size", "Bytes", cell=lambda r: cells.number(r.size), css="num"),
        Column("sha256", "SHA-256", cell=lambda r: cells.code(r.sha256), css="id"),
        Column("created_at", "Asked", cell=lambda r: cells.moment(r.created_at), sort="recent", css="when"),
        Column("finished_at", "Finished", shown=False),
        Column("error", "Error", shown=False),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return Report.objects.select_related("requested_by", "framework")

    def empty(self) -> Emptiness:
        return Emptiness(
            "No reports yet",
            "A report is built in the background and stays in the evidence store.",
            "reports:report-create",
            "Build a report",
            "request",
        )


class ReportForm(forms.Form):
    period_from = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    period_to = forms.DateField(label="To, inclusive", widget=forms.DateInput(attrs={"type": "date"}))
    framework = forms.ModelChoiceField(
        Framework.objects.none(),
        required=False,
        empty_label="All of them",
        label="Framework",
        help_text="On one framework, the violations of the policies that serve it are told.",
    )

    account = forms.CharField(
        required=False,
        max_length=200,
        label="Only this cloud account",
        help_text="Its id, as resources show it.",
    )
    policy = forms.CharField(required=False, max_length=200, label="Only this policy", help_text="Its id.")
    tag = forms.CharField(
        required=False, max_length=300, label="Only resources with this tag", help_text="Written key=value."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields["framework"]
        chosen.queryset = Framework.objects.filter(retired_at=None).order_by("title")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        begins, ends = data.get("period_from"), data.get("period_to")
        if begins and ends and ends < begins:
            self.add_error("period_to", "The period ends before it begins.")
        return data


class ReportCreate(FormPage):
    permission = Permission.EXPORT
    template_name = "reports/report_create.html"
    form_class = ReportForm
    done = "The report is being built."

    def get_initial(self) -> dict[str, Any]:
        today = timezone.now().date()
        asked = {name: self.request.GET.get(name, "") for name in ("framework", "account", "policy", "tag")}
        return {"period_from": today - dt.timedelta(days=30), "period_to": today, **asked}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Build an evidence report", **kwargs)

    def act(self, form: ReportForm) -> str:
        report = request_report(**form.cleaned_data)
        return reverse("reports:report-detail", args=[report.pk])


class ReportDetail(DetailPage):
    template_name = "reports/report_detail.html"
    queryset = Report.objects.select_related("requested_by", "framework")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        report: Any = self.object
        job = Job.objects.filter(pk=report.job_id).first() if report.job_id else None
        return super().get_context_data(
            title=f"Evidence {_period(report)}", job=job, scope=_scope(report), **kwargs
        )


@non_atomic
class ReportDownload(RoleRequiredMixin, View):
    """Sends the browser to a short-lived address at the evidence store; the store is asked in no transaction."""

    permission = Permission.EXPORT

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        with tenant_transaction(current_tenant_id()):
            report = get_object_or_404(Report, pk=pk)
        try:
            return HttpResponseRedirect(report_download_url(report=report))
        except GovernanceError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("reports:report-detail", args=[pk]))
