"""What a decision is about: its facts, their digest, and what has changed since the request was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q

from apps.catalog.models import SEVERITIES

from ..models import PolicyException
from ..scope import Scope


@dataclass(frozen=True)
class Impact:
    """What an exception would hide now: how many open violations, by severity, the oldest since when."""

    violations: int
    by_severity: Mapping[str, int]
    oldest: datetime | None

    @property
    def worst(self) -> str:
        """The worst severity among them, "" where there are none."""
        return next((s for s in reversed(SEVERITIES) if self.by_severity.get(s)), "")

    def words(self) -> str:
        """“hides 412 open violations, 3 critical, 10 high, the oldest since 2026-03-01”."""
        if not self.violations:
            return "hides nothing now"
        plural = "" if self.violations == 1 else "s"
        parts = [f"hides {self.violations:,} open violation{plural}"]
        parts += [f"{self.by_severity[s]:,} {s}" for s in reversed(SEVERITIES) if self.by_severity.get(s)]
        since = f", the oldest since {self.oldest:%Y-%m-%d}" if self.oldest else ""
        return ", ".join(parts) + since


def impact_of(scope: Scope) -> Impact:
    """One query over what the scope speaks of."""
    open_now = scope.violations().filter(Q(shown_status="open"))
    rows = list(open_now.order_by().values("severity").annotate(n=Count("pk"), since=Min("first_seen")))
    by_severity = {row["severity"]: row["n"] for row in rows}
    oldest = min((row["since"] for row in rows), default=None)
    return Impact(sum(by_severity.values()), by_severity, oldest)


def risk_of(scope: Scope, impact: Impact) -> str:
    """The severity whose longest term binds: the worst of the policy's own, of those that the filters name, and
    of what it would hide now; low where it is none of these."""
    known = [impact.worst, scope.policy.severity if scope.policy else ""]
    known += (scope.selector or {}).get("severity", [])
    return next((s for s in reversed(SEVERITIES) if s in known), SEVERITIES[0])


def subject_of(scope: Scope, expires_at: datetime | None, impact: Impact) -> dict[str, Any]:
    """What was asked for, as things stood: kept on the request, so that a later reader knows."""
    policy, resource = scope.policy, scope.resource
    return {
        "policy": policy
        and {"id": policy.pk, "name": policy.name, "version": policy.current_version,
             "severity": policy.severity},
        "resource": resource
        and {"id": resource.pk, "native_id": resource.native_id, "name": resource.name,
             "state": str(resource.changed_xid)},
        "selector": dict(scope.selector) if scope.selector is not None else None,
        "expires_at": expires_at.isoformat() if expires_at else None,
        "risk": risk_of(scope, impact),
        "violations": impact.violations,
        "by_severity": dict(impact.by_severity),
        "oldest": impact.oldest.isoformat() if impact.oldest else None,
    }  # fmt: skip


def shown_facts(exception: PolicyException) -> dict[str, Any]:
    """What a decider is shown and a decision is bound to: the request's own words and term, the policy's version
    and severity, the resource's state. No count: it moves with every scan, and is sealed at the decision."""
    policy, resource = exception.policy, exception.resource
    return {
        "exception": str(exception.pk),
        "reason": exception.reason,
        "compensating_control": exception.compensating_control,
        "expires_at": exception.expires_at.isoformat() if exception.expires_at else None,
        "requested_by": str(exception.created_by_id),
        "selector": exception.selector,
        "renews": str(exception.renews_id) if exception.renews_id else None,
        "requested": exception.subject_sha256,
        "policy": [policy.pk, policy.current_version, policy.severity] if policy else None,
        "resource": [resource.pk, str(resource.changed_xid)] if resource else None,
    }


def shown_digest(exception: PolicyException) -> str:
    """SHA-256 of `shown_facts`. A form carries it, so nobody decides on what he has not been shown."""
    return digest_of(shown_facts(exception))


def decision_of(exception: PolicyException, impact: Impact, risk: str) -> dict[str, Any]:
    """What was decided on, sealed with the decision: what was shown, and what it hid at that moment."""
    return {
        **shown_facts(exception),
        "risk": risk,
        "violations": impact.violations,
        "by_severity": dict(impact.by_severity),
        "oldest": impact.oldest.isoformat() if impact.oldest else None,
    }


def digest_of(facts: Mapping[str, Any]) -> str:
    """SHA-256 over the facts as JSON: keys sorted, no blanks, not escaped."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def changes_since_asked(exception: PolicyException, impact: Impact) -> list[str]:
    """What is no longer as it was when it was asked for, each in words; for whoever decides."""
    asked = exception.subject or {}
    changes = []
    was, policy = asked.get("policy"), exception.policy
    if was and policy is not None:
        if was.get("version") != policy.current_version:
            changes.append(
                f"The policy was version {was.get('version')}, now it is {policy.current_version}."
            )
        if was.get("severity", policy.severity) != policy.severity:
            changes.append(f"The policy's severity was {was['severity']}, now it is {policy.severity}.")
    was, resource = asked.get("resource"), exception.resource
    if (
        was
        and resource is not None
        and was.get("state", str(resource.changed_xid)) != str(resource.changed_xid)
    ):
        changes.append("The resource has changed.")
    changes += _counted(asked, impact)
    return changes


def _counted(asked: Mapping[str, Any], impact: Impact) -> list[str]:
    before = asked.get("by_severity")
    if before is None:
        return []
    changed = [
        f"{severity}: {before.get(severity, 0)} → {impact.by_severity.get(severity, 0)}"
        for severity in reversed(SEVERITIES)
        if before.get(severity, 0) != impact.by_severity.get(severity, 0)
    ]
    return (
        [f"It hides another number of violations than when it was asked for ({', '.join(changed)})."]
        if changed
        else []
    )
