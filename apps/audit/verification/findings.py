"""What verifying has found: each thing by a code, where it is, and in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

MAX_NAMED = 1000


@dataclass(frozen=True)
class Problem:
    """`code` is one word for machines, `where` names a row, place, checkpoint or object, `what` says it.

    `audit_id` where it is one row. `tenant_id` is empty for the platform's log.
    """

    code: str
    tenant_id: str
    where: str
    what: str
    audit_id: str = ""


@dataclass
class TrailFindings:
    """One tenant's trail, or the platform's log: how much was verified, and what is wrong with it."""

    tenant_id: str
    rows: int = 0
    sealed: int = 0
    unsealed: int = 0
    oldest_unsealed: datetime | None = None
    checkpoints: int = 0
    last_size: int = 0
    last_sealed_at: str = ""


@dataclass
class Findings:
    """Everything one run verified; beyond a thousand problems only their number grows."""

    trails: list[TrailFindings] = field(default_factory=list)
    platform: TrailFindings | None = None
    problems: list[Problem] = field(default_factory=list)
    wrong: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)

    def add(self, code: str, tenant_id: object, where: str, what: str, audit_id: object = "") -> None:
        self.wrong += 1
        self.by_code[code] += 1
        if len(self.problems) < MAX_NAMED:
            self.problems.append(Problem(code, str(tenant_id), where, what, str(audit_id)))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        unsealed = [trail.oldest_unsealed for trail in self.trails if trail.oldest_unsealed]
        return {
            "rows": sum(trail.rows for trail in self.trails),
            "tenants": len(self.trails),
            "sealed": sum(trail.sealed for trail in self.trails),
            "unsealed": sum(trail.unsealed for trail in self.trails),
            "oldest_unsealed": min(unsealed).isoformat() if unsealed else None,
            "checkpoints": sum(trail.checkpoints for trail in self.trails),
            "platform": asdict(self.platform) if self.platform else None,
            "trails": [
                {**asdict(trail), "oldest_unsealed": _iso(trail.oldest_unsealed)} for trail in self.trails
            ],
            "wrong": self.wrong,
            "by_code": dict(self.by_code),
            "problems": [asdict(problem) for problem in self.problems],
            "public_keys": self.keys,
            "failed": self.wrong > 0,
        }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
