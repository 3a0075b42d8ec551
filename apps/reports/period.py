"""The period of a report and the instant up to which it tells what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from apps.core.errors import InvalidInput

from .scope import WHOLE, ReportScope

MAX_DAYS = 3660


@dataclass(frozen=True)
class Period:
    """Whole days in UTC, both included, cut off at the moment the report was asked for.

    Everything is told as of `cut`, exclusive: the period's end, or `as_of` where the period was not over. A
    bundle depends on these alone, so a period that is over gives the same bytes whenever it is asked for.
    """

    first: date
    last: date
    as_of: datetime
    policies: tuple[str, ...] | None = None
    """Of a report on one framework: the policies that serve it at the cut. Violations of others are not told."""
    scope: ReportScope = WHOLE

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time.min, UTC)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.last + timedelta(days=1), time.min, UTC)

    @property
    def cut(self) -> datetime:
        return min(self.end, self.as_of)


def checked_period(first: date, last: date, now: datetime) -> Period:
    """The period as of `now`; raises InvalidInput naming `period_from` or `period_to`."""
    today = now.astimezone(UTC).date()
    if first > last:
        raise InvalidInput(f"The period begins on {first}, after it ends on {last}.", field="period_from")
    if last > today:
        raise InvalidInput(f"The period ends on {last}; today, in UTC, is {today}.", field="period_to")
    if (last - first).days >= MAX_DAYS:
        raise InvalidInput(f"A period has at most {MAX_DAYS} days.", field="period_from")
    return Period(first, last, now)
