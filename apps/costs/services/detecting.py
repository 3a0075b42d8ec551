"""Detection over a tenant's services: scores every series again and brings the inbox to what it now says.

Scoring again rather than only the new days is what makes a restatement right: an anomaly that a correction
explains is withdrawn, one that it lays bare is found, and what people decided stays decided.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Max, Min, Sum
from django.utils import timezone

from apps.audit.services import record
from apps.core.context import current
from apps.core.db.fields import TransactionNow
from apps.core.states import transition
from apps.notices.services import notify

from ..detection import Event, Rule, find_events
from ..models import CostAnomaly, CostAnomalyEvent, CostRollup
from ..states import ANOMALY_MACHINE
from .causes import causes_of
from .rollups import lock_costs
from .settings import cost_settings

# Charges that come when they come: no daily habit to compare with.
LEFT_OUT = ("Purchase", "Tax")
# Providers go on writing a day's bill for about two days.
INCOMPLETE_DAYS = 2
SCORED_DAYS = 400
# Less than this much money, or this share of a usual day's bill, is nobody's concern.
LEAST_AMOUNT = Decimal(1)
LEAST_SHARE = Decimal("0.002")
# Events older than this when first found are history, and no news for anybody.
NEWS_DAYS = 45


@dataclass(frozen=True)
class Series:
    """A service's days without gaps, from `start` on."""

    service: str
    start: dt.date
    amounts: list[Decimal]

    def day(self, place: int) -> dt.date:
        return self.start + dt.timedelta(days=place)


@dataclass
class Detected:
    """What a detection changed in the inbox."""

    services: int = 0
    opened: int = 0
    changed: int = 0
    withdrawn: int = 0

    def summary(self) -> dict[str, int]:
        return {
            "services_scored": self.services,
            "anomalies_opened": self.opened,
            "anomalies_changed": self.changed,
            "anomalies_withdrawn": self.withdrawn,
        }


def detect_anomalies(*, today: dt.date | None = None) -> Detected:
    """Score every service's series up to the last complete day. In the caller's transaction; repeatable."""
    lock_costs()
    today = today or timezone.now().date()
    detected = Detected()
    settings = cost_settings()
    if not settings.currency:
        return detected
    news: list[CostAnomaly] = []
    for series in daily_series(settings.currency, today):
        detected.services += 1
        news += _settle(series, _events(series, settings.currency), settings.currency, detected)
    _tell([a for a in news if (today - a.last_day).days <= NEWS_DAYS], settings.currency)
    if detected.opened or detected.changed or detected.withdrawn:
        record("costs.anomalies.detected", None, detected.summary())
    return detected


def daily_series(currency: str, today: dt.date) -> Iterator[Series]:
    """Each service's days up to the last complete one, Purchase and Tax left out."""
    rows = CostRollup.objects.filter(currency=currency).exclude(category__in=LEFT_OUT)
    span = rows.aggregate(first=Min("day"), last=Max("day"))
    if span["last"] is None:
        return
    last = min(span["last"], today - dt.timedelta(days=INCOMPLETE_DAYS))
    first = max(span["first"], last - dt.timedelta(days=SCORED_DAYS))
    found: dict[str, dict[dt.date, Decimal]] = {}
    totals = (
        rows.filter(day__gte=first, day__lte=last)
        .values_list("service", "day")
        .annotate(total=Sum("billed"))
        .order_by("service", "day")
    )
    for service, day, total in totals:
        found.setdefault(service, {})[day] = total
    for service, amounts in found.items():
        start = min(amounts)
        days = (last - start).days + 1
        yield Series(
            service,
            start,
            [amounts.get(start + dt.timedelta(days=n), Decimal(0)) for n in range(days)],
        )


def least_impact(currency: str) -> Decimal:
    """The money below which a day is left alone: a unit, or two thousandths of the tenant's usual day."""
    days = list(
        CostRollup.objects.filter(currency=currency)
        .exclude(category__in=LEFT_OUT)
        .values_list("day")
        .annotate(total=Sum("billed"))
        .order_by("-day")
        .values_list("total", flat=True)[:60]
    )
    usual = sorted(days)[len(days) // 2] if days else Decimal(0)
    return max(LEAST_AMOUNT, LEAST_SHARE * usual)


def _events(series: Series, currency: str) -> list[Event]:
    events = find_events(series.amounts, Rule(least=least_impact(currency)))
    end = len(series.amounts) - 1
    # The last day of a delivery is often half a day: its lack of charges is no saving.
    return [e for e in events if not (e.direction == "down" and e.first == e.last == end)]


def _settle(series: Series, events: Sequence[Event], currency: str, detected: Detected) -> list[CostAnomaly]:
    """Bring the service's anomalies to `events`; returns the new ones."""
    known = list(
        CostAnomaly.objects.filter(service=series.service, last_day__gte=series.start).order_by("first_day")
    )
    new: list[CostAnomaly] = []
    for event in events:
        values = _values(series, event, currency)
        match = _overlapping(known, values)
        if match is None:
            new.append(_open(series, event, values))
            detected.opened += 1
            continue
        known.remove(match)
        if any(getattr(match, name) != value for name, value in values.items()):
            _rescore(match, series, event, values)
            detected.changed += 1
        elif match.status == "withdrawn":
            transition(ANOMALY_MACHINE, match, "open", note="It stands out again.")
            detected.changed += 1
    last = series.day(len(series.amounts) - 1)
    for gone in known:
        if gone.status != "withdrawn" and gone.last_day <= last:
            transition(
                ANOMALY_MACHINE,
                gone,
                "withdrawn",
                changes={"updated_at": TransactionNow()},
                note="After a restatement the days no longer stand out.",
            )
            detected.withdrawn += 1
    return new


def _values(series: Series, event: Event, currency: str) -> dict[str, Any]:
    return {
        "first_day": series.day(event.first),
        "last_day": series.day(event.last),
        "direction": event.direction,
        "expected": event.expected,
        "actual": event.actual,
        "impact": event.impact,
        "score": min(event.size, Decimal(1000)).quantize(Decimal("0.01")),
        "currency": currency,
    }


def _overlapping(known: Sequence[CostAnomaly], values: dict[str, Any]) -> CostAnomaly | None:
    return next(
        (
            a
            for a in known
            if a.direction == values["direction"]
            and a.first_day <= values["last_day"]
            and a.last_day >= values["first_day"]
        ),
        None,
    )


def _days(series: Series, event: Event) -> list[dt.date]:
    return [series.day(place) for place in event.days]


def _open(series: Series, event: Event, values: dict[str, Any]) -> CostAnomaly:
    causes = causes_of(series.service, _days(series, event), values["currency"])
    anomaly = CostAnomaly.objects.create(service=series.service, causes=causes, status="open", **values)
    CostAnomalyEvent.objects.create(
        anomaly=anomaly, actor=str(current().actor), to_status="open", note="Detected."
    )
    record("costs.anomaly.opened", anomaly, {"service": series.service, "impact": str(anomaly.impact)})
    return anomaly


def _rescore(anomaly: CostAnomaly, series: Series, event: Event, values: dict[str, Any]) -> None:
    causes = causes_of(series.service, _days(series, event), values["currency"])
    before = {"last_day": anomaly.last_day.isoformat(), "impact": str(anomaly.impact)}
    CostAnomaly.objects.filter(pk=anomaly.pk).update(causes=causes, updated_at=TransactionNow(), **values)
    if anomaly.status == "withdrawn":
        transition(ANOMALY_MACHINE, anomaly, "open", note="It stands out again.")
    record(
        "costs.anomaly.rescored",
        anomaly,
        {"before": before, "last_day": values["last_day"].isoformat(), "impact": str(values["impact"])},
    )


def _tell(new: list[CostAnomaly], currency: str) -> None:
    """One notice for what a detection found, the dearest first."""
    dear = sorted((a for a in new if a.direction == "up"), key=lambda a: -a.impact)
    if not dear:
        return
    lines = [
        f"{a.service}: {a.impact:,.2f} {currency} more than usual, {a.first_day} to {a.last_day}"
        for a in dear[:10]
    ]
    notify(
        code="costs.anomaly",
        title=f"Costs out of the ordinary: {dear[0].service}"
        + (f" and {len(dear) - 1} more" if len(dear) > 1 else ""),
        text="\n".join(lines),
        path="/costs/anomalies/",
        roles=("operator", "admin"),
        payload={"anomalies": [str(a.pk) for a in dear]},
    )
