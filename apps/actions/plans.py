"""The plan that people approve: what would become of each resource, and the digest that seals it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from .executors.base import Change, Target

# What of a target the plan fixes; tags and document are read anew, for plans only.
FIXED = ("resource_id", "provider", "type", "native_id", "name", "account", "location")


@dataclass(frozen=True)
class PlannedTarget:
    """One resource of a plan. `n` is its ordinal among the action's targets."""

    n: int
    target: Target
    change: Change

    def as_plan(self) -> dict[str, Any]:
        fixed = asdict(self.target)
        return {"n": self.n, **{name: fixed[name] for name in FIXED}, **change_as_json(self.change)}


@dataclass(frozen=True)
class LeftOut:
    """A resource that was asked for and is not touched, and why."""

    n: int
    name: str
    why: str


@dataclass(frozen=True)
class Plan:
    """All of it. `because` says in words why so many approvals are needed."""

    type: str
    title: str
    params: Mapping[str, Any]
    risk: str
    targets: Sequence[PlannedTarget]
    left_out: Sequence[LeftOut] = ()
    reverses: str | None = None
    approvals: int = 1
    because: Sequence[str] = ()
    limit: int = 0
    production: int = 0
    severity: str = ""
    done: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """What is stored and hashed. `done` are targets of an earlier attempt, as they were approved."""
        planned = sorted([*self.done, *(t.as_plan() for t in self.targets)], key=lambda t: t["n"])
        whole: dict[str, Any] = plain(
            {
                "type": self.type,
                "title": self.title,
                "params": dict(self.params),
                "risk": self.risk,
                "reverses": self.reverses,
                "targets": planned,
                "left_out": [asdict(item) for item in self.left_out],
                "blast": {
                    "resources": len(planned),
                    "limit": self.limit,
                    "accounts": _distinct(t["account"] for t in planned),
                    "locations": _distinct(t["location"] for t in planned),
                    "production": self.production,
                    "severity": self.severity,
                    "irreversible": sum(not t["reversible"] for t in planned),
                },
                "monthly_saving": _total(t["monthly_saving"] for t in planned),
                "approvals": {"needed": self.approvals, "because": list(self.because)},
            }
        )
        return whole


def plain(value: Any) -> Any:
    """As JSON gives it back: tuples are lists, keys are texts. What is compared and hashed goes through here."""
    return json.loads(json.dumps(value, ensure_ascii=False, default=str))


def digest(plan: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the plan's canonical JSON: sorted keys, no blanks, UTF-8."""
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def change_as_json(change: Change) -> dict[str, Any]:
    made: dict[str, Any] = plain(asdict(change))
    return made


def change_of(planned: Mapping[str, Any]) -> Change:
    """The change of a plan's target (or of a target's stored one)."""
    names = ("before", "after", "summary", "undo", "reversible", "disruption", "monthly_saving")
    return Change(**{name: planned[name] for name in names})


def shown(value: Any) -> str:
    """A value as people read it: a text as it is, anything else as JSON, what is not there as “none”."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The keys that change, with both values: what a diff shows."""
    keys = sorted({*before, *after})
    return [
        {"key": key, "before": shown(before.get(key)), "after": shown(after.get(key))}
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _distinct(values: Iterable[Any]) -> list[str]:
    return sorted({str(value) for value in values if value})


def _total(savings: Iterable[str | None]) -> str | None:
    found = []
    for text in savings:
        try:
            found += [Decimal(text)] if text is not None else []
        except InvalidOperation:
            continue
    return str(sum(found, Decimal(0))) if found else None
