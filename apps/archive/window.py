"""How long a tenant keeps what is closed in the hot tables (specification 3.7: 30 to 90 days)."""

from __future__ import annotations

from apps.core.context import current_tenant_id
from apps.core.errors import InvalidInput
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_settings

SECTION = "retention"
SHORTEST, LONGEST = 30, 90


def hot_days() -> int:
    """The context's tenant's window, in days. `archive_cut` in the database reads the same setting."""
    settings = Tenant.objects.values_list("settings", flat=True).get(pk=current_tenant_id())
    return int(settings.get(SECTION, {}).get("hot_days", LONGEST))


def set_hot_days(*, days: int) -> None:
    """Raises InvalidInput (field hot_days) outside of 30 to 90."""
    if not SHORTEST <= days <= LONGEST:
        raise InvalidInput(
            f"Closed rows stay in the hot tables for {SHORTEST} to {LONGEST} days, not {days}.",
            field="hot_days",
        )
    settings = Tenant.objects.values_list("settings", flat=True).get(pk=current_tenant_id())
    change_settings(section=SECTION, values={**settings.get(SECTION, {}), "hot_days": days})
