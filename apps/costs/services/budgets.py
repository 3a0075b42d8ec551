"""Budgets: made and ended by people, checked whenever the sums change, each threshold told once a period."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F, Max, Min, QuerySet, Sum, Value
from django.db.models.functions import TruncMonth
from django.utils import timezone

from apps.audit.services import record
from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput, StaleState
from apps.notices.services import notify

from ..detection import forecast
from ..models import Budget, BudgetAlert, CostRollup, CostTagRollup
from ..models.budgets import BUDGET_PERIODS, BUDGET_SCOPES
from .settings import cost_settings

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# What a forecast looks back at.
HISTORY_DAYS = 240


@dataclass(frozen=True)
class Standing:
    """Where a budget stands in the period of `today`; `expected` is None where there is too little history."""

    start: dt.date
    end: dt.date
    spent: Decimal
    amount: Decimal
    expected: Decimal | None
    low: Decimal | None
    high: Decimal | None

    @property
    def percent(self) -> int:
        return int(100 * self.spent / self.amount)

    @property
    def expected_percent(self) -> int | None:
        return None if self.expected is None else int(100 * self.expected / self.amount)


def create_budget(
    *,
    name: str,
    amount: Decimal,
    scope: str = "tenant",
    scope_key: str = "",
    scope_value: str = "",
    period: str = "month",
    thresholds: list[int] | None = None,
    on_forecast: bool = True,
) -> Budget:
    """Raises InvalidInput naming the field."""
    if not name.strip():
        raise InvalidInput("A budget has a name.", field="name")
    if not amount.is_finite() or amount <= 0:
        raise InvalidInput("A budget is an amount above zero.", field="amount")
    if scope not in BUDGET_SCOPES:
        raise InvalidInput(f"A scope is one of {', '.join(BUDGET_SCOPES)}.", field="scope")
    if period not in BUDGET_PERIODS:
        raise InvalidInput(f"A period is one of {', '.join(BUDGET_PERIODS)}.", field="period")
    if scope != "tenant" and not scope_value.strip():
        raise InvalidInput(f"Say which {scope} it is for.", field="scope_value")
    _require_rolled_up(scope, scope_key)
    wanted = sorted(set(thresholds if thresholds is not None else [80, 100]))
    if not wanted or any(not 1 <= threshold <= 1000 for threshold in wanted):
        raise InvalidInput("Thresholds are percentages from 1 to 1000.", field="thresholds")
    budget = Budget(
        name=name.strip(),
        amount=amount,
        scope=scope,
        scope_key=scope_key.strip() if scope == "tag" else "",
        scope_value=scope_value.strip() if scope != "tenant" else "",
        period=period,
        thresholds=wanted,
        on_forecast=on_forecast,
        status="active",
        created_by=str(current().actor),
    )
    budget.save(force_insert=True)
    record("costs.budget.created", budget, {"name": budget.name, "amount": str(amount), "scope": scope})
    return budget


def _require_rolled_up(scope: str, key: str) -> None:
    if scope != "tag":
        return
    keys = list(cost_settings().tag_keys or [])
    if key.strip() not in keys:
        raise InvalidInput(
            f"The tag key is not rolled up; there are {', '.join(keys) or 'none yet'}.", field="scope_key"
        )


def end_budget(*, budget: Budget) -> Budget:
    """It alerts no more and stays to be read. Raises StaleState where it had ended."""
    ended = Budget.objects.filter(pk=budget.pk, status="active").update(
        status="ended", updated_at=TransactionNow()
    )
    if not ended:
        raise StaleState("This budget had ended already.")
    record("costs.budget.ended", budget, {"name": budget.name})
    budget.refresh_from_db()
    return budget


def period_of(period: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """(first day, first day of the next) of the calendar period that `today` lies in."""
    months = _MONTHS[period]
    first = dt.date(today.year, (today.month - 1) // months * months + 1, 1)
    month = first.month - 1 + months
    return first, dt.date(first.year + month // 12, month % 12 + 1, 1)


def rows_of(budget: Budget, currency: str) -> QuerySet[Any]:
    """The rollup's rows that count against a budget."""
    if budget.scope == "tag":
        return CostTagRollup.objects.filter(currency=currency, key=budget.scope_key, value=budget.scope_value)
    rows = CostRollup.objects.filter(currency=currency)
    return rows if budget.scope == "tenant" else rows.filter(**{budget.scope: budget.scope_value})


def standing(budget: Budget, today: dt.date | None = None) -> Standing:
    """What was billed in the current period, and what its end is expected to bring."""
    today = today or timezone.now().date()
    start, end = period_of(budget.period, today)
    rows = rows_of(budget, cost_settings().currency)
    spent = rows.filter(day__gte=start, day__lt=end).aggregate(total=Sum("billed"))["total"] or Decimal(0)
    ahead = _ahead(rows, start, end)
    if ahead is None:
        return Standing(start, end, spent, budget.amount, None, None, None)
    known, total, low, high = ahead
    return Standing(start, end, spent, budget.amount, known + total, known + low, known + high)


def spent_of(budgets: Sequence[Budget], today: dt.date | None = None) -> dict[Any, Decimal]:
    """{budget's id: billed in its current period} of many, by one query for each kind of scope among them."""
    today = today or timezone.now().date()
    currency = cost_settings().currency
    year = dt.date(today.year, 1, 1)
    spent: dict[Any, Decimal] = {}
    for scope in sorted({budget.scope for budget in budgets}):
        ours = [budget for budget in budgets if budget.scope == scope]
        for budget in ours:
            spent[budget.pk] = Decimal(0)
        for key, value, month, total in _monthly(scope, ours, year, currency):
            for budget in ours:
                start, end = period_of(budget.period, today)
                if (budget.scope_key, budget.scope_value) == (key, value) and start <= month < end:
                    spent[budget.pk] += total
    return spent


def _monthly(scope: str, budgets: Sequence[Budget], since: dt.date, currency: str) -> QuerySet[Any]:
    """(tag key, value, month, billed) of what the budgets of one scope are for."""
    values = [budget.scope_value for budget in budgets]
    nothing = Value("")
    rows: QuerySet[Any]
    if scope == "tag":
        keys = [budget.scope_key for budget in budgets]
        rows = CostTagRollup.objects.filter(key__in=keys, value__in=values)
        rows = rows.annotate(of_key=F("key"), of_value=F("value"))
    elif scope == "tenant":
        rows = CostRollup.objects.annotate(of_key=nothing, of_value=nothing)
    else:
        rows = CostRollup.objects.filter(**{f"{scope}__in": values})
        rows = rows.annotate(of_key=nothing, of_value=F(scope))
    return (
        rows.filter(day__gte=since, currency=currency)
        .annotate(month=TruncMonth("day"))
        .values_list("of_key", "of_value", "month")
        .annotate(total=Sum("billed"))
        .order_by("of_key", "of_value", "month")
    )


def _ahead(
    rows: QuerySet[Any], start: dt.date, end: dt.date
) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
    """(billed in the period so far, forecast of the rest with its band); None without enough history."""
    span = rows.filter(day__gte=start - dt.timedelta(days=HISTORY_DAYS), day__lt=end).aggregate(
        first=Min("day"), last=Max("day")
    )
    if span["last"] is None:
        return None
    daily = dict(
        rows.filter(day__gte=span["first"], day__lte=span["last"])
        .values_list("day")
        .annotate(total=Sum("billed"))
    )
    days = (span["last"] - span["first"]).days + 1
    series = [daily.get(span["first"] + dt.timedelta(days=n), Decimal(0)) for n in range(days)]
    known = sum((v for d, v in daily.items() if d >= start), Decimal(0))
    left = (end - span["last"]).days - 1
    if left <= 0:
        return known, Decimal(0), Decimal(0), Decimal(0)
    found = forecast(series, left)
    if found is None:
        return None
    skipped = max(0, (start - span["last"]).days - 1)
    inside = sum(found.days[skipped:], Decimal(0))
    share = inside / found.total if found.total else Decimal(1)
    return known, inside, found.low * share, found.high * share


def check_budgets(*, today: dt.date | None = None) -> int:
    """Alert each threshold that is passed and was not told in this period; returns how many were told."""
    told = 0
    for budget in Budget.objects.filter(status="active").order_by("name", "id"):
        now = standing(budget, today)
        for threshold in budget.thresholds:
            limit = budget.amount * threshold / 100
            if now.spent >= limit:
                told += _alert(budget, now, "actual", threshold, now.spent)
            elif budget.on_forecast and now.expected is not None and now.expected >= limit >= budget.amount:
                told += _alert(budget, now, "forecast", threshold, now.expected)
    return told


def _alert(budget: Budget, now: Standing, kind: str, threshold: int, amount: Decimal) -> int:
    alert = BudgetAlert(budget=budget, period_start=now.start, kind=kind, threshold=threshold, amount=amount)
    BudgetAlert.objects.bulk_create([alert], ignore_conflicts=True)
    if not BudgetAlert.objects.filter(pk=alert.pk).exists():
        return 0
    currency = cost_settings().currency
    verb = "has reached" if kind == "actual" else "is expected to reach"
    record(
        "costs.budget.alerted",
        budget,
        {"kind": kind, "threshold": threshold, "amount": str(amount), "period": now.start.isoformat()},
    )
    notify(
        code="costs.budget",
        title=f"Budget {budget.name} {verb} {threshold} %",
        text=(
            f"{amount:,.2f} of {budget.amount:,.2f} {currency} in the {budget.period} from {now.start}"
            + (" by the forecast for its end." if kind == "forecast" else ".")
        ),
        path=f"/costs/budgets/{budget.pk}/",
        roles=("operator", "admin"),
        payload={"budget": str(budget.pk), "kind": kind, "threshold": threshold},
        key=f"{budget.pk}:{now.start}:{kind}:{threshold}",
    )
    return 1
