"""A delivery against what is there: which lines came, which went, and what that does to every sum.

All in the caller's transaction, set by set; no charge passes through Python.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from django.db import connection

from apps.audit.services import record
from apps.connectors.billing.charges import DAY, FIELDS, INSTANT, NAMES, NUMBER, TAGS, TEXT
from apps.core.context import current_tenant_id
from apps.core.db.copying import copy_blocks
from apps.core.db.fields import TransactionNow
from apps.core.db.plans import forget_plans

from ..models import CostPeriod
from .rollups import apply_moves, lock_costs
from .settings import settle_settings

EXACT = Context(prec=400)
LISTED_PERIODS = 50
_TYPES = {TEXT: "text", DAY: "date", INSTANT: "timestamptz", NUMBER: "numeric", TAGS: "jsonb"}
_COLUMNS = ", ".join(NAMES)
_SAME_SCOPE = (
    "l.provider = s.provider AND l.billing_account_id = s.billing_account_id "
    "AND l.billing_period_start = s.billing_period_start"
)

_INCOMING = (
    "CREATE TEMPORARY TABLE incoming (line_key uuid, "
    + ", ".join(f"{name} {_TYPES[kind]}" for name, kind in FIELDS.items())
    + ", occurrence integer NOT NULL DEFAULT 1) ON COMMIT DROP"
)
# What sums need to know of a line that is gone.
_GONE = """
CREATE TEMPORARY TABLE gone (
    provider text, billing_account_id text, billing_period_start date, day date, service_name text,
    sub_account_id text, region_id text, charge_category text, billing_currency text, tags jsonb,
    billed_cost numeric, effective_cost numeric
) ON COMMIT DROP
"""
_SCOPES = """
CREATE TEMPORARY TABLE scopes ON COMMIT DROP AS
SELECT provider, billing_account_id, billing_period_start, max(billing_account_name) AS account_name
FROM incoming GROUP BY 1, 2, 3
"""
_OCCURRENCES = """
UPDATE incoming i SET occurrence = r.n FROM (
    SELECT ctid AS place, row_number() OVER (PARTITION BY line_key) AS n FROM incoming
    WHERE line_key IN (SELECT line_key FROM incoming GROUP BY line_key HAVING count(*) > 1)
) r WHERE i.ctid = r.place AND r.n > 1
"""
_REMOVE_GONE = f"""
WITH gone_now AS (
    DELETE FROM cost_lines l USING scopes s WHERE {_SAME_SCOPE} AND NOT EXISTS (
        SELECT FROM incoming i WHERE i.line_key = l.line_key AND i.occurrence = l.occurrence)
    RETURNING l.provider, l.billing_account_id, l.billing_period_start, l.day, l.service_name, l.sub_account_id,
        l.region_id, l.charge_category, l.billing_currency, l.tags, l.billed_cost, l.effective_cost
) INSERT INTO gone SELECT * FROM gone_now
"""  # noqa: S608  (names are ours, values are bound)
_REMOVE_KNOWN = f"""
DELETE FROM incoming i USING cost_lines l, scopes s
WHERE {_SAME_SCOPE} AND l.line_key = i.line_key AND l.occurrence = i.occurrence
"""  # noqa: S608
# Azure compares ids without case; AWS bills some resources by the end of their ARN.
_KNOWN = r"""
CREATE TEMPORARY TABLE known ON COMMIT DROP AS
SELECT b.provider, b.resource_native_id, min(r.id) AS resource_id
FROM (SELECT DISTINCT provider, resource_native_id FROM incoming WHERE resource_native_id IS NOT NULL) b
JOIN resources r ON r.provider = b.provider
    AND CASE b.provider WHEN 'aws' THEN regexp_replace(r.native_id, '^arn:.*[:/]', '')
        ELSE lower(r.native_id) END
      = CASE b.provider WHEN 'aws' THEN regexp_replace(b.resource_native_id, '^arn:.*[:/]', '')
        ELSE lower(b.resource_native_id) END
GROUP BY 1, 2 HAVING count(*) = 1
"""
_INSERT = f"""
INSERT INTO cost_lines (tenant_id, import_run_id, resource_id, line_key, occurrence, {_COLUMNS})
SELECT %(tenant)s, %(run)s, k.resource_id, i.line_key, i.occurrence, {", ".join(f"i.{n}" for n in NAMES)}
FROM incoming i LEFT JOIN known k USING (provider, resource_native_id)
"""  # noqa: S608
_PERIODS = """
SELECT provider, billing_account_id, billing_period_start, billing_currency,
    count(*) FILTER (WHERE sign > 0), count(*) FILTER (WHERE sign < 0), sum(sign * billed_cost), max(day)
FROM (
    SELECT provider, billing_account_id, billing_period_start, billing_currency, billed_cost, day, 1 AS sign
    FROM incoming
    UNION ALL SELECT provider, billing_account_id, billing_period_start, billing_currency, billed_cost, day, -1
    FROM gone
) both_ways GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


@dataclass
class Merged:
    """What a delivery did: lines by their fate, and the change of each billing period."""

    added: int = 0
    removed: int = 0
    unchanged: int = 0
    currency: str = ""
    periods: list[dict[str, Any]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"removed": self.removed, "series_currency": self.currency}
        if self.periods:
            shown["periods"] = self.periods[:LISTED_PERIODS]
        if len(self.periods) > LISTED_PERIODS:
            shown["further_periods"] = len(self.periods) - LISTED_PERIODS
        return shown


def merge(lines: Iterable[bytes], *, run_id: uuid.UUID) -> Merged:
    """Make the billing periods of the charges in `lines` (blocks of COPY's text form) what the charges say.

    In the caller's transaction. Other imports of the tenant are shut out once the last line has come.
    """
    with connection.cursor() as cursor:
        _copy(cursor, lines)
        lock_costs()
        cursor.execute(_SCOPES)
        cursor.execute(_OCCURRENCES)
        settings = settle_settings(cursor)
        merged = Merged(currency=settings.currency)
        if _restates(cursor):
            cursor.execute("ANALYZE incoming")
            cursor.execute(_REMOVE_GONE)
            merged.removed = cursor.rowcount
            cursor.execute(_REMOVE_KNOWN)
            merged.unchanged = cursor.rowcount
        merged.added = _insert(cursor, run_id)
        if merged.added or merged.removed:
            merged.periods = _note_periods(cursor, run_id)
            apply_moves(cursor, settings)
        for table in ("incoming", "gone", "scopes", "known"):
            cursor.execute(f"DROP TABLE {table}")  # the caller may hold the transaction open
    for period in merged.periods:
        record("costs.period.restated" if period["revision"] > 1 else "costs.period.imported", None, period)
    return merged


def _copy(cursor: Any, lines: Iterable[bytes]) -> None:
    forget_plans(cursor)
    cursor.execute(_INCOMING)
    cursor.execute(_GONE)
    copy_blocks(cursor, f"COPY incoming (line_key, {_COLUMNS}) FROM STDIN", lines)


def _restates(cursor: Any) -> bool:
    cursor.execute(
        f"SELECT EXISTS (SELECT FROM scopes s JOIN cost_periods l ON {_SAME_SCOPE})"  # noqa: S608
    )
    return bool(cursor.fetchone()[0])


def _insert(cursor: Any, run_id: uuid.UUID) -> int:
    cursor.execute(_KNOWN)
    cursor.execute("ANALYZE known")
    cursor.execute(_INSERT, {"tenant": current_tenant_id(), "run": run_id})
    return int(cursor.rowcount)


def _note_periods(cursor: Any, run_id: uuid.UUID) -> list[dict[str, Any]]:
    """Bring cost_periods up to date; what changed, one entry a period, for the run and the audit trail."""
    cursor.execute(_PERIODS)
    moves: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in cursor.fetchall():
        moves.setdefault(row[:3], []).append(row[3:])
    cursor.execute("SELECT provider, billing_account_id, billing_period_start, account_name FROM scopes")
    names = {row[:3]: row[3] or "" for row in cursor.fetchall()}
    return [_note_period(key, rows, names.get(key, ""), run_id) for key, rows in moves.items()]


def _note_period(
    key: tuple[Any, ...], moves: list[tuple[Any, ...]], account_name: str, run_id: uuid.UUID
) -> dict[str, Any]:
    provider, account, start = key
    period, created = CostPeriod.objects.get_or_create(
        provider=provider,
        billing_account_id=account,
        billing_period_start=start,
        defaults={"lines": 0, "totals": {}, "billing_account_name": ""},
    )
    before_lines, before = period.lines, dict(period.totals)
    after = {currency: Decimal(total) for currency, total in before.items()}
    for currency, came, went, difference, last_day in moves:
        period.lines += came - went
        after[currency] = EXACT.add(after.get(currency, Decimal(0)), difference)
        if came and (period.last_day is None or last_day > period.last_day):
            period.last_day = last_day
    period.totals = {currency: format(total, "f") for currency, total in sorted(after.items())}
    period.revision = 1 if created else period.revision + 1
    period.billing_account_name = account_name or period.billing_account_name
    period.import_run_id = run_id
    period.changed_at = TransactionNow()
    period.save()
    return {
        "provider": provider,
        "billing_account": account,
        "billing_period": start.isoformat(),
        "revision": period.revision,
        "lines_added": sum(move[1] for move in moves),
        "lines_removed": sum(move[2] for move in moves),
        "lines_before": before_lines,
        "lines": period.lines,
        "billed_before": before,
        "billed": period.totals,
    }
