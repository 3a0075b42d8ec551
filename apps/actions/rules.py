"""The rule that decides how many people must approve, and how much one action may touch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.catalog.models import SEVERITIES

from .models import ActionRule

RISKS = ("low", "medium", "high")
# The rule of a tenant that has made none: the same as the database's defaults.
SAFE = {
    "kind": "", "enabled": True, "approvals": 1, "risky_approvals": 2, "severe_from": "", "severe_approvals": 2,
    "many_from": 10, "many_approvals": 2, "environment_tags": ["environment", "env", "stage"],
    "production_values": ["production", "prod", "prd", "live"], "production_approvals": 2,
    "blast_limit": 25, "over_limit": "refuse",
}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What a rule looks at: the kind's risk, the worst severity of the violations, each resource's tags."""

    type: str
    risk: str
    resources: int
    severity: str = ""
    tags: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Verdict:
    """How many approvals, why in words, how many resources are allowed, and how many are production's."""

    approvals: int
    because: tuple[str, ...]
    limit: int
    production: int
    refused: str = ""


def rule_for(type_: str) -> ActionRule:
    """The tenant's rule for this kind, else its rule for all others, else the safe one."""
    rules = {rule.kind: rule for rule in ActionRule.objects.filter(kind__in=["", type_], enabled=True)}
    return rules.get(type_) or rules.get("") or ActionRule(**SAFE)


def judge(rule: ActionRule, asked: Asked) -> Verdict:
    """Of the numbers that apply the greatest counts."""
    found = [(rule.approvals, f"{_people(rule.approvals)} for {rule.kind or 'any action'}")]
    if asked.risk == "high":
        found.append((rule.risky_approvals, f"{_people(rule.risky_approvals)} for a kind of high risk"))
    if rule.severe_from and _rank(asked.severity) >= _rank(rule.severe_from):
        found.append(
            (rule.severe_approvals, f"{_people(rule.severe_approvals)} for severity {asked.severity}")
        )
    if asked.resources > rule.many_from:
        found.append(
            (rule.many_approvals, f"{_people(rule.many_approvals)} for more than {rule.many_from} resources")
        )
    production = sum(is_production(rule, tags) for tags in asked.tags)
    if production:
        found.append((rule.production_approvals, f"{_people(rule.production_approvals)} for production"))
    refused = ""
    if asked.resources > rule.blast_limit:
        found.append((2, f"two people above the limit of {rule.blast_limit} resources"))
        if rule.over_limit == "refuse":
            refused = (
                f"{asked.resources} resources are more than one such action may touch ({rule.blast_limit}). "
                "Choose fewer, or let an admin change the rule."
            )
    most = max(number for number, _ in found)
    because = tuple(why for number, why in found if number == most)
    return Verdict(most, because, rule.blast_limit, production, refused)


def is_production(rule: ActionRule, tags: Mapping[str, str]) -> bool:
    """Whether one of the environment tags says so; upper and lower case alike."""
    names, values = _lower(rule.environment_tags), _lower(rule.production_values)
    return any(str(k).lower() in names and str(v).strip().lower() in values for k, v in (tags or {}).items())


def _lower(texts: Iterable[str]) -> set[str]:
    return {text.strip().lower() for text in texts}


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) + 1 if severity in SEVERITIES else 0


def _people(n: int) -> str:
    return ("nobody", "one person", "two people")[n]
