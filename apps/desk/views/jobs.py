"""Jobs: the list, one with its progress, and cancelling it. Here because `apps.jobs` stands below sign-in."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View

from apps.catalog.models import ImportRun
from apps.core import cells
from apps.core.columns import Column
from apps.core.context import current
from apps.core.emptiness import Emptiness
from apps.core.errors import InvalidInput
from apps.core.pages import Sort
from apps.core.pagination import Keyset
from apps.findings.models import ScanRun
from apps.jobs.filters import JobFilter
from apps.jobs.models import Job
from apps.jobs.registry import job_kind
from apps.jobs.services import cancel_job
from apps.reports.models import Report
from apps.tenancy.names import names_of_actors
from apps.tenancy.pages import CommandPage, DetailPage, ListPage
from apps.tenancy.permissions import RoleRequiredMixin
from apps.tenancy.roles import Permission

# htmx stops polling when it gets this status.
STOP_POLLING = 286


def title_of(job: Job) -> str:
    try:
        return job_kind(job.type).title
    except InvalidInput:
        return job.type


def may_cancel(request: HttpRequest, job: Job) -> bool:
    """Who asked for it, and who manages."""
    return job.created_by == str(current().actor) or request.user.has_perm(Permission.MANAGE)


class JobList(ListPage):
    name = "jobs.jobs"
    title = "Jobs"
    lead = "Work in the background: scans, imports, reports."
    filterset_class = JobFilter
    primary = ("status", "type")
    unlisted = ("actor",)
    sorts = (
        Sort("recent", "Latest first", Keyset("-created_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("created_at", "id")),
    )
    columns = (
        Column("title", "Job", value=title_of, cell=lambda j: cells.link(title_of(j), "jobs:job-detail", j.pk),
               css="main"),
        Column("status", "State", cell=lambda j: cells.status(j.status)),
        Column("progress", "Progress", value=lambda j: j.progress_note or (f"{j.percent} %" if j.percent else "")),
        Column("created_by", "Asked by", value=lambda j: getattr(j, "actor_name", j.created_by)),
        Column("attempts", "Attempts", css="num"),
        Column("error", "What went wrong", css="wide"),
        Column("created_at", "Asked", cell=lambda j: cells.moment(j.created_at), sort="recent", css="when"),
        Column("finished_at", "Finished", cell=lambda j: cells.moment(j.finished_at), css="when"),
        Column("type", "Type", shown=False),
        Column("id", "Id", shown=False),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return Job.objects.all()

    def decorate(self, rows: list[Any]) -> None:
        names = names_of_actors(job.created_by for job in rows)
        for job in rows:
            job.actor_name = names[job.created_by]

    def empty(self) -> Emptiness:
        return Emptiness("No jobs", "No scan, import or report has been asked for.")


class JobDetail(DetailPage):
    template_name = "desk/job_detail.html"
    model = Job

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        job: Any = self.object
        return super().get_context_data(
            title=title_of(job),
            job=job,
            job_title=title_of(job),
            asked_by=names_of_actors([job.created_by])[job.created_by],
            can_cancel=may_cancel(self.request, job),
            params=json.dumps(job.params, indent=2, ensure_ascii=False),
            result=json.dumps(job.result, indent=2, ensure_ascii=False) if job.result is not None else "",
            scan=ScanRun.objects.filter(job_id=job.pk).order_by("-started_at").first(),
            import_run=ImportRun.objects.filter(job_id=job.pk).order_by("-started_at").first(),
            report=Report.objects.filter(job_id=job.pk).first(),
            **kwargs,
        )


class JobProgress(RoleRequiredMixin, View):
    """A fragment that replaces itself every two seconds until the job is finished."""

    def get(self, request: HttpRequest, pk: Any) -> HttpResponse:
        job = get_object_or_404(Job, pk=pk)
        response = TemplateResponse(
            request, "desk/_progress.html", {"job": job, "job_title": title_of(job)},
            status=STOP_POLLING if job.is_finished else 200,
        )  # fmt: skip
        if job.is_finished and request.GET.get("page") == "job":
            response["HX-Refresh"] = "true"  # the whole page has more to say now: the result and where it led
        return response


class JobCancel(CommandPage):
    permission = Permission.VIEW
    done = "The job was asked to stop."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        job = get_object_or_404(Job, pk=kwargs["pk"])
        if not may_cancel(request, job):
            raise PermissionDenied("Only who asked for a job, or an administrator, may cancel it.")
        cancel_job(job_id=job.pk)
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("jobs:job-detail", args=[kwargs["pk"]])
