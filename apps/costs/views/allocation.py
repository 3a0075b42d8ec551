"""Showback by tag, and unit cost."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.tenancy.pages import FormPage, PlainPage
from apps.tenancy.roles import Permission

from ..allocation import SPLITS, Allocation, allocate
from ..services.settings import cost_settings
from ..services.units import record_metrics, rows_of_csv
from ..units import metric_names, unit_costs
from .days import NO_COSTS

PARAMETERS = ("key", "from", "to", "split", "shared")
WORDS = {"proportional": "By what each costs itself", "even": "Evenly", "none": "Leave it unsplit"}
MAX_FILE = 2 * 1024 * 1024


class AllocationPage(PlainPage):
    template_name = "costs/allocation.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            found = asked_allocation(dict(request.GET.lists()))
        except InvalidInput as error:
            return self.render_to_response(self.get_context_data(problem=str(error)), status=400)
        return self.render_to_response(self.get_context_data(found=found))

    def get_context_data(
        self, found: Allocation | None = None, problem: str = "", **kwargs: Any
    ) -> dict[str, Any]:
        keys = list(cost_settings().tag_keys or [])
        return super().get_context_data(**kwargs) | {
            "title": "Allocation",
            "problem": problem,
            "found": found,
            "keys": keys,
            "splits": [(split, WORDS[split]) for split in SPLITS],
            "shared": ", ".join(self.request.GET.getlist("shared")),
            "emptiness": NO_COSTS if not keys and not problem else None,
        }


def asked_allocation(params: dict[str, list[str]]) -> Allocation | None:
    """The allocation that a URL asks for: the month that runs by the first tag key, unless it says otherwise.

    None where no tag key is rolled up yet. Raises InvalidInput naming the parameter.
    """
    for name in params:
        if name not in PARAMETERS:
            raise InvalidInput(f"There is no parameter {name!r}.", field=name)
    keys = list(cost_settings().tag_keys or [])
    if not keys:
        return None
    today = timezone.now().date()
    shared = [part.strip() for text in params.get("shared", []) for part in text.split(",") if part.strip()]
    return allocate(
        key=_last(params, "key") or keys[0],
        start=_day("from", _last(params, "from")) or today.replace(day=1),
        end=_day("to", _last(params, "to")) or today,
        split=_last(params, "split") or "proportional",
        shared=shared,
    )


def _last(params: dict[str, list[str]], name: str) -> str:
    return next((value for value in reversed(params.get(name, [])) if value), "")


def _day(name: str, text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InvalidInput("A day is written YYYY-MM-DD.", field=name) from error


class MetricForm(forms.Form):
    file = forms.FileField(label="Quantities", help_text="CSV with the columns metric, day and quantity.")

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE:
            raise forms.ValidationError("The file is larger than 2 MB.")
        return file


class UnitCostPage(FormPage):
    """Reading is for everybody; quantities come from those who import."""

    permission = Permission.VIEW
    write_permission = Permission.IMPORT
    template_name = "costs/unit_costs.html"
    form_class = MetricForm
    done = "The quantities are in."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        names = metric_names()
        wanted = self.request.GET.get("metric", "") or (names[0] if names else "")
        known = wanted in names
        return super().get_context_data(**kwargs) | {
            "title": "Unit cost",
            "metrics": names,
            "metric": wanted,
            "problem": "" if known or not wanted else f"There is no metric {wanted}.",
            "months": unit_costs(wanted) if known else [],
            "currency": cost_settings().currency,
        }

    def act(self, form: MetricForm) -> str:
        record_metrics(rows=rows_of_csv(form.cleaned_data["file"].read()))
        return reverse("costs:unit-costs")
