"""The history tables: what moves into each, and how a batch of it is told apart from every other.

A segment is what one batch moved: its rows share a `segment_id`, and the audit trail keeps how many they were and
their digest. The digest is SHA-256 over the rows in the order of their ids, each as a JSON array of what was moved
with its moments as seconds since 1970; by built-in functions alone, so that no function of ours can lie to the
verifier.
"""

from __future__ import annotations

from dataclasses import dataclass


def _digest(table: str, columns: str) -> str:
    return f"""
        SELECT count(*), encode(sha256(convert_to(coalesce(string_agg(
            jsonb_build_array({columns})::text, chr(10) ORDER BY h.id), ''), 'UTF8')), 'hex')
        FROM {table} h WHERE h.tenant_id = %s AND h.segment_id = %s
    """  # noqa: S608


def _seconds(column: str) -> str:
    return f"extract(epoch FROM h.{column})"


@dataclass(frozen=True)
class HistoryTable:
    """`move` is the function that moves a batch; `digest` selects (rows, sha256) of (tenant, segment)."""

    name: str
    what: str
    moment: str
    move: str
    digest: str
    due: str


VIOLATIONS = HistoryTable(
    name="violations_history",
    what="closed violations",
    moment="closed_at",
    move="archive_violations",
    digest=_digest(
        "violations_history",
        f"h.id, h.policy_id, h.resource_id, h.severity, h.reason, {_seconds('first_seen')}, {_seconds('last_seen')},"
        f" {_seconds('fixed_at')}, h.policy_version, h.source, {_seconds('closed_at')}",
    ),
    due="""
        SELECT count(*), min(coalesce(fixed_at, last_seen)) FROM violations
        WHERE tenant_id = %(tenant)s AND status = 'fixed'
          AND coalesce(fixed_at, last_seen) < archive_cut(%(tenant)s)
    """,
)
ACTION_EVENTS = HistoryTable(
    name="action_events_history",
    what="lines of ended actions",
    moment="ts",
    move="archive_action_events",
    digest=_digest("action_events_history", f"h.id, h.action_id, {_seconds('ts')}, h.message"),
    due="""
        SELECT count(*), min(e.ts) FROM action_events e
        JOIN actions a ON a.id = e.action_id AND a.tenant_id = %(tenant)s
        WHERE e.tenant_id = %(tenant)s AND e.ts < archive_cut(%(tenant)s)
          AND a.updated_at < archive_cut(%(tenant)s) AND a.status IN ('completed', 'failed', 'rolled_back')
    """,
)
TABLES = (VIOLATIONS, ACTION_EVENTS)
