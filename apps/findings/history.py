"""What there was on a past day: counts, violations and exceptions, told from append-only events.

Everything that reads events for a past instant stands here, and here alone: moving events elsewhere changes this
module. An instant is a bound, exclusive: a day is told as of the midnight (UTC) that ends it. The state of a violation
is what its last event before the bound left it in; an exception's term ends by the clock, whether or not that
has been written down yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection, models
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When

from apps.core.context import current_tenant_id
from apps.core.errors import InvalidInput

from .models import ExceptionEvent, PolicyException, ViolationEvent
from .queries import ViolationCount

STANDING = ("open", "suppressed")


@dataclass(frozen=True)
class AsOf:
    """A day, and the instant before which everything counts: its end, or now where the day is not over."""

    day: date
    before: datetime

    @property
    def is_whole(self) -> bool:
        return self.before == midnight(self.day + timedelta(days=1))


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def as_of_day(day: date) -> AsOf:
    """Raises InvalidInput (field as_of) for a day to come."""
    now = database_now()
    if day > now.astimezone(UTC).date():
        raise InvalidInput(f"{day} is yet to come.", field="as_of")
    # The bound is exclusive, and what this very transaction wrote is dated now.
    return AsOf(day, min(midnight(day + timedelta(days=1)), now + timedelta(microseconds=1)))


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now: datetime = cursor.fetchone()[0]
    return now


def first_day() -> date | None:
    """The day of the first scan or event, None where there was none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least((SELECT min(at) FROM violation_events WHERE tenant_id = %(t)s),"
            " (SELECT min(started_at) FROM scan_runs WHERE tenant_id = %(t)s))",
            {"t": current_tenant_id()},
        )
        (first,) = cursor.fetchone()
    return first.astimezone(UTC).date() if first else None


# Suppressions whose term the clock has ended and of which no event says so yet: few, for the sweep and the next
# scan write them down.
UNTOLD = """
SELECT coalesce(v.policy_id, '') AS policy_id, v.severity, v.suppressed_until AS at
FROM violations v
WHERE v.tenant_id = %(tenant)s AND v.status = 'suppressed' AND v.suppressed_until < %(before)s
  AND v.suppressed_until <= now() AND NOT EXISTS (
    SELECT 1 FROM violation_events e
    WHERE e.tenant_id = v.tenant_id AND e.violation_id = v.id AND e.kind = 'lapsed' AND e.at >= v.suppressed_until)
"""

# Whole days by their sums, the begun day by its events.
COUNTS = f"""
WITH touched AS (
    SELECT DISTINCT violation_id FROM violation_events
    WHERE tenant_id = %(tenant)s AND at >= %(midnight)s AND at < %(before)s
),
changes AS (
    SELECT policy_id, severity, status, delta FROM posture_days WHERE tenant_id = %(tenant)s AND day < %(day)s
    UNION ALL
    SELECT coalesce(l.policy_id, ''), l.severity, l.status, l.sign
    FROM touched t CROSS JOIN LATERAL (
        (SELECT policy_id, severity, status, 1 AS sign FROM violation_events
         WHERE tenant_id = %(tenant)s AND violation_id = t.violation_id AND at < %(before)s
         ORDER BY at DESC, id DESC LIMIT 1)
        UNION ALL
        (SELECT policy_id, severity, status, -1 FROM violation_events
         WHERE tenant_id = %(tenant)s AND violation_id = t.violation_id AND at < %(midnight)s
         ORDER BY at DESC, id DESC LIMIT 1)
    ) l WHERE l.status <> 'removed'
    UNION ALL
    SELECT u.policy_id, u.severity, s.status, s.sign
    FROM ({UNTOLD}) u CROSS JOIN (VALUES ('suppressed', -1), ('open', 1)) s (status, sign)
)
SELECT policy_id, severity, status, sum(delta)::bigint FROM changes
GROUP BY policy_id, severity, status HAVING sum(delta) <> 0 ORDER BY policy_id, severity, status
"""  # noqa: S608


def counts_before(before: datetime) -> list[ViolationCount]:
    """How many violations of each policy and severity were open, suppressed and fixed just before an instant."""
    day = before.astimezone(UTC).date()
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "before": before,
        "day": day,
        "midnight": midnight(day),
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, values)
        return [ViolationCount(*row) for row in cursor.fetchall()]


def daily_changes(until: date) -> Iterator[tuple[date, str, str, int]]:
    """(day, policy id, status, by how many it grew) up to the end of `until`, in the order of days."""
    sql = f"""
        SELECT day, policy_id, status, sum(delta)::bigint FROM (
            SELECT day, policy_id, status, delta FROM posture_days WHERE tenant_id = %(tenant)s AND day <= %(day)s
            UNION ALL
            SELECT (u.at AT TIME ZONE 'UTC')::date, u.policy_id, s.status, s.sign
            FROM ({UNTOLD}) u CROSS JOIN (VALUES ('suppressed', -1), ('open', 1)) s (status, sign)
        ) changes GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """  # noqa: S608
    values: dict[str, Any] = {
        "tenant": current_tenant_id(),
        "day": until,
        "before": midnight(until + timedelta(days=1)),
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        yield from cursor.fetchall()


def standing_before(before: datetime) -> QuerySet[ViolationEvent]:
    """Violations that were open or suppressed just before an instant, each as its last event before it.

    `shown_status` is open or suppressed as people saw it then.
    """
    of_same = ViolationEvent.objects.filter(violation_id=OuterRef("violation_id"), at__lt=before)
    later = of_same.filter(Q(at__gt=OuterRef("at")) | Q(at=OuterRef("at"), id__gt=OuterRef("id")))
    over = Q(status="suppressed", suppressed_until__lt=before)
    shown = Case(When(over, then=Value("open")), default=F("status"), output_field=models.TextField())
    found = ViolationEvent.objects.filter(at__lt=before, status__in=STANDING)
    return found.filter(~Exists(later)).annotate(shown_status=shown)


def exceptions_before(before: datetime) -> QuerySet[PolicyException]:
    """Exceptions asked for before an instant, with `then`: pending, approved, rejected or expired as they were."""
    events = ExceptionEvent.objects.filter(exception_id=OuterRef("pk"), at__lt=before)
    last = events.order_by("-at", "-id").values("status")[:1]
    found = PolicyException.objects.filter(created_at__lt=before).annotate(written=Subquery(last))
    over = Q(written__in=("pending", "approved"), expires_at__lt=before)
    then = Case(When(over, then=Value("expired")), default=F("written"), output_field=models.TextField())
    return found.exclude(written=None).annotate(then=then)


def in_force_before(before: datetime) -> QuerySet[PolicyException]:
    """Exceptions that were in force just before an instant."""
    return exceptions_before(before).filter(Q(then="approved"))


REBUILT = """
SELECT day, policy_id, severity, status, sum(sign)::bigint AS delta FROM (
    SELECT (at AT TIME ZONE 'UTC')::date AS day, coalesce(policy_id, '') AS policy_id, severity, status, 1 AS sign
    FROM violation_events WHERE tenant_id = %(tenant)s AND status <> 'removed'
    UNION ALL
    SELECT day, policy_id, severity, status, -1 FROM (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, lag(coalesce(policy_id, '')) OVER w AS policy_id,
               lag(severity) OVER w AS severity, lag(status) OVER w AS status
        FROM violation_events WHERE tenant_id = %(tenant)s WINDOW w AS (PARTITION BY violation_id ORDER BY at, id)
    ) before WHERE status IS NOT NULL AND status <> 'removed'
) changes GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0
"""


def daily_drift() -> list[tuple[date, str, str, str, int]]:
    """Where the sums by day differ from the events: (day, policy id, severity, status, events − sums)."""
    sql = f"""
        SELECT day, policy_id, severity, status, coalesce(e.delta, 0) - coalesce(d.delta, 0)
        FROM ({REBUILT}) e
        FULL JOIN (SELECT * FROM posture_days WHERE tenant_id = %(tenant)s AND delta <> 0) d
            USING (day, policy_id, severity, status)
        WHERE coalesce(e.delta, 0) <> coalesce(d.delta, 0) ORDER BY 1, 2, 3, 4
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, {"tenant": current_tenant_id()})
        return list(cursor.fetchall())
