"""A tenant's rules for exceptions: how long one may last by severity, whether it may have no end, when to warn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.catalog.models import SEVERITIES
from apps.core.context import current_tenant_id
from apps.core.errors import InvalidInput
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_settings

SECTION = "exceptions"
LONGEST_DAYS = {"critical": 30, "high": 90, "medium": 180, "low": 365}
WARN_DAYS = (7, 1)
MOST_DAYS = 3650
MOST_WARNINGS = 5
# A term is written as the end of a day: the last day counts whole.
GRACE = timedelta(days=1)


@dataclass(frozen=True)
class ExceptionRules:
    """`longest_days` by severity; `endless`: one without an end may be asked for; `warn_days` before the end."""

    longest_days: Mapping[str, int] = field(default_factory=lambda: dict(LONGEST_DAYS))
    endless: bool = False
    warn_days: tuple[int, ...] = WARN_DAYS

    def longest(self, severity: str) -> int:
        return self.longest_days.get(severity, min(self.longest_days.values()))

    def last_day(self, severity: str) -> datetime:
        """The last moment at which an exception of this risk may end, were it granted now."""
        return timezone.now() + timedelta(days=self.longest(severity)) + GRACE


def exception_rules() -> ExceptionRules:
    """The context's tenant's rules; what it has not set is the default."""
    stored = Tenant.objects.values_list("settings", flat=True).get(pk=current_tenant_id()).get(SECTION, {})
    return ExceptionRules(
        longest_days={**LONGEST_DAYS, **stored.get("longest_days", {})},
        endless=bool(stored.get("endless", False)),
        warn_days=tuple(stored.get("warn_days", WARN_DAYS)),
    )


def set_exception_rules(
    *, longest_days: Mapping[str, int], endless: bool, warn_days: list[int]
) -> ExceptionRules:
    """Change the rules; they bind what is asked for and what is approved from now on.

    Raises InvalidInput naming `longest_days` or `warn_days`.
    """
    if set(longest_days) - set(SEVERITIES):
        raise InvalidInput(f"Severities are {', '.join(SEVERITIES)}.", field="longest_days")
    for severity, days in longest_days.items():
        if not 1 <= days <= MOST_DAYS:
            raise InvalidInput(f"{severity}: from 1 to {MOST_DAYS} days.", field="longest_days")
    if len(warn_days) > MOST_WARNINGS or any(not 1 <= days <= 365 for days in warn_days):
        raise InvalidInput(f"At most {MOST_WARNINGS} warnings, from 1 to 365 days ahead.", field="warn_days")
    values: dict[str, Any] = {
        "longest_days": {**exception_rules().longest_days, **longest_days},
        "endless": endless,
        "warn_days": sorted(set(warn_days), reverse=True),
    }
    change_settings(section=SECTION, values=values)
    return exception_rules()


def refuse_too_long(expires_at: datetime | None, severity: str) -> None:
    """Raise InvalidInput naming `expires_at` where the tenant's rules don't allow this term for this risk."""
    rules = exception_rules()
    if expires_at is None:
        if not rules.endless:
            raise InvalidInput("An exception needs an end: name its last day.", field="expires_at")
        return
    if expires_at <= timezone.now():
        raise InvalidInput("The term of this exception is already over.", field="expires_at")
    if expires_at > rules.last_day(severity):
        raise InvalidInput(
            f"At {severity} severity an exception lasts at most {rules.longest(severity)} days.",
            field="expires_at",
        )
