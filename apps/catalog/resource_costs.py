"""The port to what resources cost: `costs` fills it, `findings` reads it; the two rooms don't know each other.

A relation is the text of a SELECT with the named parameter `tenant`.
"""

from __future__ import annotations

_NOTHING = (
    "SELECT NULL::text AS resource_id, NULL::numeric AS amount, NULL::text AS currency, NULL::date AS first_day, "
    "NULL::date AS last_day WHERE false"
)
_NO_USAGE = (
    "SELECT NULL::text AS provider, NULL::text AS service, NULL::numeric AS least, NULL::numeric AS on_demand, "
    "NULL::numeric AS committed, NULL::text AS currency, NULL::date AS first_day, NULL::date AS last_day WHERE false"
)
_NO_DAYS = "SELECT NULL::text AS resource_id, NULL::date AS day, NULL::numeric AS amount WHERE false"
_relations = {"resources": _NOTHING, "on_demand": _NO_USAGE, "days": _NO_DAYS}


def use_costs(*, resources: str, on_demand: str, days: str) -> None:
    """Called once, in an AppConfig.ready()."""
    _relations.update(resources=resources, on_demand=on_demand, days=days)


def resource_costs() -> str:
    """(resource_id, amount, currency, first_day, last_day): the exact sum of a resource's last 30 days of costs.

    `last_day` is the last day with any costs of the tenant, `first_day` the first of those days with costs of the
    resource. A resource without costs has no row.
    """
    return _relations["resources"]


def on_demand_usage() -> str:
    """(provider, service, least, on_demand, committed, currency, first_day, last_day) of compute and databases.

    Sums of the last 30 days; `least` is the cheapest day's on-demand usage, null where a day has none.
    """
    return _relations["on_demand"]


def resource_days() -> str:
    """(resource_id, day, amount): the exact costs of each resource and day of the last 31 days with any costs.

    The last of those days is always there, with a null resource and amount.
    """
    return _relations["days"]
