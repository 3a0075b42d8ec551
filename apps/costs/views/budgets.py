"""Budgets: what each may be, where it stands, and what it has told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html

from apps.core import cells
from apps.core.columns import Column
from apps.core.emptiness import Emptiness
from apps.core.pages import Sort, Step
from apps.core.pagination import Keyset
from apps.tenancy.pages import CommandPage, DetailPage, FormPage, ListPage
from apps.tenancy.roles import Permission

from ..filters import BudgetFilter
from ..models import Budget
from ..models.budgets import BUDGET_PERIODS, BUDGET_SCOPES
from ..services.budgets import create_budget, end_budget, spent_of, standing
from ..services.settings import cost_settings
from ..words import money, scope_in_words


def _percent(budget: Any) -> int | None:
    return None if budget.spent is None else int(100 * budget.spent / budget.amount)


def _spent(budget: Any) -> Any:
    percent = _percent(budget)
    if percent is None:
        return cells.NOTHING
    return format_html(
        '<progress max="100" value="{}" aria-label="Spent">{} %</progress><span class="under">{} % of it</span>',
        min(percent, 100),
        percent,
        percent,
    )


class BudgetList(ListPage):
    name = "costs.budgets"
    title = "Budgets"
    lead = "How much a part of the bill may be, and how much of it is spent in the period that runs."
    filterset_class = BudgetFilter
    primary = ("status", "scope")
    sorts = (
        Sort("name", "By name", Keyset("name", "id")),
        Sort("name_down", "By name, backwards", Keyset("-name", "-id")),
    )
    step = Step("costs:budget-create", "Set a budget", "request")
    columns = (
        Column("name", "Name", cell=lambda b: cells.link(b.name, "costs:budget-detail", b.pk), sort="name", css="main"),
        Column("for", "For", value=lambda b: scope_in_words(b.scope, b.scope_key, b.scope_value), css="wide"),
        Column("period", "Per"),
        Column("amount", "Amount", cell=lambda b: money(b.amount), css="num"),
        Column("spent", "Spent", cell=lambda b: money(b.spent) if b.spent is not None else cells.NOTHING, css="num"),
        Column("percent", "Of it", value=lambda b: _percent(b), cell=lambda b: _spent(b)),
        Column("status", "Status", cell=lambda b: cells.status(b.status)),
    )  # fmt: skip

    def rows(self) -> QuerySet[Any]:
        return Budget.objects.all()

    def decorate(self, rows: list[Any]) -> None:
        spent = spent_of([b for b in rows if b.status == "active"])
        for budget in rows:
            budget.spent = spent.get(budget.pk)

    def empty(self) -> Emptiness:
        return Emptiness(
            "No budgets yet",
            "A budget says how much a service, an account or a team may cost, and tells you before it is too late.",
            "costs:budget-create",
            "Set one",
            "request",
        )


class BudgetDetail(DetailPage):
    model = Budget
    template_name = "costs/budget_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        budget: Budget = self.object
        now = standing(budget)
        return super().get_context_data(**kwargs) | {
            "title": budget.name,
            "standing": now,
            "last_day": now.end - dt.timedelta(days=1),
            "scope": scope_in_words(budget.scope, budget.scope_key, budget.scope_value),
            "currency": cost_settings().currency,
            "alerts": list(budget.alerts.order_by("-created_at", "-threshold")[:50]),
        }


class BudgetForm(forms.Form):
    name = forms.CharField(max_length=200, label="Name")
    scope = forms.ChoiceField(
        choices=[(s, "Everything" if s == "tenant" else s.capitalize()) for s in BUDGET_SCOPES], label="For"
    )
    scope_key = forms.CharField(
        max_length=200, required=False, label="Tag key", help_text="Only for a tag: one that is rolled up."
    )
    scope_value = forms.CharField(
        max_length=500,
        required=False,
        label="Which one",
        help_text="The service's name, the account's or region's id, or the tag's value.",
    )
    period = forms.ChoiceField(choices=[(p, p.capitalize()) for p in BUDGET_PERIODS], label="Per")
    amount = forms.DecimalField(min_value=Decimal("0.01"), max_digits=30, decimal_places=6, label="Amount")
    thresholds = forms.CharField(
        initial="80, 100", label="Tell at", help_text="Percentages, with commas between them."
    )
    on_forecast = forms.BooleanField(
        required=False, initial=True, label="Also when the forecast for the period's end is above the budget"
    )

    def clean_thresholds(self) -> list[int]:
        try:
            return [
                int(part)
                for part in self.cleaned_data["thresholds"].replace("%", "").split(",")
                if part.strip()
            ]
        except ValueError as error:
            raise forms.ValidationError("Write whole percentages, e.g. 80, 100.") from error


class BudgetCreate(FormPage):
    permission = Permission.REQUEST
    template_name = "costs/budget_create.html"
    form_class = BudgetForm
    done = "The budget is set."

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Set a budget", **kwargs)

    def act(self, form: BudgetForm) -> str:
        budget = create_budget(**form.cleaned_data)
        return reverse("costs:budget-detail", args=[budget.pk])


class BudgetEnd(CommandPage):
    permission = Permission.REQUEST
    done = "The budget has ended."

    def act(self, request: HttpRequest, **kwargs: Any) -> str:
        end_budget(budget=get_object_or_404(Budget, pk=kwargs["pk"]))
        return self.fallback(**kwargs)

    def fallback(self, **kwargs: Any) -> str:
        return reverse("costs:budget-detail", args=[kwargs["pk"]])
