"""Where the bill is going: to the month's end and over the next three months, with a band and how it did before."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.core.emptiness import Emptiness
from apps.tenancy.pages import PlainPage

from ..forecasting import MONTHS_AHEAD, Outlook, outlook
from ..services.settings import cost_settings
from .days import NO_COSTS

SHOWN_DAYS = 60


class ForecastPage(PlainPage):
    template_name = "costs/forecast.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        unknown = sorted(set(request.GET) - {"service"})
        if unknown:
            context = self.get_context_data(problem=f"There is no filter “{unknown[0]}” here.")
            return self.render_to_response(context, status=400)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, problem: str = "", **kwargs: Any) -> dict[str, Any]:
        service = self.request.GET.get("service", "")
        found = None if problem else outlook(service=service)
        return super().get_context_data(**kwargs) | {
            "title": "Forecast",
            "problem": problem,
            "service": service,
            "outlook": found,
            "months": MONTHS_AHEAD,
            "chart": _chart(found) if found else None,
            "emptiness": self._emptiness() if found is None and not problem else None,
        }

    @staticmethod
    def _emptiness() -> Emptiness:
        if not cost_settings().currency:
            return NO_COSTS
        return Emptiness("Too little history", "A forecast takes at least two weeks of complete days.")


def _chart(found: Outlook) -> dict[str, Any]:
    """What was and, after it, what is expected."""
    past = found.past[-SHOWN_DAYS:]
    start = found.last_day - dt.timedelta(days=len(past) - 1)
    days = [start + dt.timedelta(days=n) for n in range(len(past) + len(found.days))]
    return {
        "days": [day.isoformat() for day in days],
        "actual": [format(a, "f") for a in past] + [None] * len(found.days),
        "expected": [None] * (len(past) - 1)
        + [format(past[-1], "f")]
        + [format(d, ".4f") for d in found.days],
        "currency": found.currency,
    }
