"""Retention: what is hot and what is history, legal holds, and how the stores will grow."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.catalog.models import Framework
from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.jobs.models import Job
from apps.tenancy.names import names_of_actors
from apps.tenancy.pages import CommandPage, FormPage, ListPage, PlainPage
from apps.tenancy.roles import Permission

from .forecasting import JOB_TYPE as FORECAST
from .forecasting import request_forecast
from .forms import HoldForm, ReleaseForm, WindowForm
from .holds import place_hold, release_hold
from .models import LegalHold
from .moving import JOB_TYPE as MOVE
from .moving import due, overdue, request_move
from .partitions import partition_problems
from .tables import TABLES
from .window import hot_days, set_hot_days

JOBS = 20


class RetentionPage(PlainPage):
    template_name = "archive/retention.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        jobs = list(Job.objects.filter(type__in=(MOVE, FORECAST)).order_by("-created_at", "-id")[:JOBS])
        done = [job for job in jobs if job.status == "succeeded"]
        return super().get_context_data(
            title="Retention",
            hot_days=hot_days(),
            tables=[(table, due(table)) for table in TABLES],
            late=overdue(),
            problems=partition_problems(),
            frameworks=list(Framework.objects.order_by("-retention_years", "title")),
            holds=list(LegalHold.objects.filter(released_at=None).order_by("-placed_at", "-id")[:5]),
            running=next((job for job in jobs if not job.is_finished), None),
            moved=next((job for job in done if job.type == MOVE), None),
            measured=next((job for job in done if job.type == FORECAST), None),
            **kwargs,
        )


class WindowPage(FormPage):
    permission = Permission.MANAGE
    template_name = "archive/form.html"
    form_class = WindowForm
    done = (
        "The window is set. What has become too old moves with the next night's job, or at once by Move now."
    )

    def get_initial(self) -> dict[str, Any]:
        return {"hot_days": hot_days()}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title="The hot window",
            lead="For so long closed violations and the lines of ended actions stay in the hot tables. Pages, exports "
            "and past days read the history as well.",
            button="Save",
            **kwargs,
        )

    def act(self, form: WindowForm) -> str:
        set_hot_days(days=form.cleaned_data["hot_days"])
        return reverse("archive:retention")


class RetentionMove(CommandPage):
    permission = Permission.MANAGE
    done = "What is due is being moved."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        request_move()
        return reverse("archive:retention")

    def fallback(self, **kwargs: Any) -> str:
        return reverse("archive:retention")


class RetentionForecast(CommandPage):
    permission = Permission.MANAGE
    done = "The stores are being measured."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        request_forecast()
        return reverse("archive:retention")

    def fallback(self, **kwargs: Any) -> str:
        return reverse("archive:retention")


def _area(hold: LegalHold) -> str:
    return cells.code(hold.area) if hold.area else "everything"


def _release(hold: LegalHold) -> str:
    if hold.released_at is not None:
        return cells.moment(hold.released_at)
    return cells.link("in force", "archive:hold-release", hold.pk)


class HoldList(ListPage):
    name = "archive.holds"
    title = "Legal holds"
    lead = "What a hold covers is deleted by nobody, whatever its retention says."
    step = Step("archive:hold-create", "Place a hold", "manage")
    sorts = (
        Sort("recent", "Latest first", Keyset("-placed_at", "-id")),
        Sort("oldest", "Earliest first", Keyset("placed_at", "id")),
    )
    columns = (
        Column("reason", "Why", css="main"),
        Column("area", "On what", value=lambda h: h.area or "everything", cell=_area),
        Column("placed_by", "Placed by", cell=lambda h: getattr(h, "placer", h.placed_by)),
        Column("placed_at", "Placed", cell=lambda h: cells.moment(h.placed_at), sort="recent", css="when"),
        Column("released_at", "Released", cell=_release, css="when"),
        Column("release_reason", "Why it is over", shown=False),
        Column("released_by", "Released by", shown=False),
        Column("id", "Id", shown=False),
    )

    def rows(self) -> QuerySet[Any]:
        return LegalHold.objects.all()

    def decorate(self, rows: list[Any]) -> None:
        names = names_of_actors(row.placed_by for row in rows)
        for row in rows:
            row.placer = names[row.placed_by]

    def empty(self) -> Emptiness:
        return Emptiness(
            "No hold", "Evidence is kept by its framework's class, and no longer than anybody needs it."
        )


class HoldCreate(FormPage):
    permission = Permission.MANAGE
    template_name = "archive/form.html"
    form_class = HoldForm
    done = "The hold is in force. What is there already is being marked in the object store."

    def get_initial(self) -> dict[str, Any]:
        return {"area": self.request.GET.get("area", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title="Place a legal hold",
            lead="From now on nothing of it can be deleted, by nobody, until the hold is released.",
            button="Place the hold",
            **kwargs,
        )

    def act(self, form: HoldForm) -> str:
        place_hold(reason=form.cleaned_data["reason"], area=form.cleaned_data["area"])
        return reverse("archive:hold-list")


class HoldRelease(FormPage):
    permission = Permission.MANAGE
    template_name = "archive/form.html"
    form_class = ReleaseForm
    done = "The hold is released. What another one covers stays held."

    @cached_property
    def hold(self) -> LegalHold:
        return get_object_or_404(LegalHold, pk=self.kwargs["pk"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title="Release this hold?",
            lead=f"{self.hold.reason} – on {self.hold.area or 'everything'}.",
            button="Release it",
            **kwargs,
        )

    def act(self, form: ReleaseForm) -> str:
        release_hold(hold=self.hold, reason=form.cleaned_data["reason"])
        return reverse("archive:hold-list")
