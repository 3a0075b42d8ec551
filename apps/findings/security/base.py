"""What a check is made of, and the SQL that all of them begin with.

`facts` are named CTEs, `hits` a SELECT of (resource_id, reason) over them. jsonpath is always lax: a document of an
unexpected shape gives nothing, and never an error that would end the check for all others. Times are compared as
text in ISO 8601, UTC, as connectors write them. Values come as `%(tenant)s`; a per cent sign is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

# The source of violations and recommendations of these checks, and the type of their policies.
SOURCE = "security"

# Ports from which machines are administered or data is read: not for everybody.
ADMIN_PORTS = (
    22,
    23,
    135,
    445,
    1433,
    1521,
    2375,
    3306,
    3389,
    5432,
    5900,
    5985,
    5986,
    6379,
    9200,
    11211,
    27017,
)
WEB_PORTS = (80, 443, 8080, 8443)

# `recommendations.risk_reduction` of what a check recommends.
RISK = {
    "critical": Decimal("1"),
    "high": Decimal("0.7"),
    "medium": Decimal("0.4"),
    "low": Decimal("0.1"),
}
# Of a way through a network: gates that the inventory does not know may close it. Of a text: it may be an example.
WAY, TEXT = Decimal("0.8"), Decimal("0.7")


@dataclass(frozen=True)
class Check:
    """`id` is stable: policies are named after it. `remediation` is what to do, in words; `action` the kind of
    action that does it to the resource of the violation, where there is one. `confidence` (0 to 1) is how sure it is
    that what was found is so."""

    id: str
    title: str
    severity: str
    provider: str
    description: str
    remediation: str
    facts: tuple[str, ...] = ()
    hits: str = ""
    action: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    confidence: Decimal = Decimal("0.9")

    @property
    def risk(self) -> Decimal:
        """How much risk goes with it, from 0 to 1, by its severity."""
        return RISK[self.severity]

    @property
    def name(self) -> str:
        return f"{SOURCE}/{self.id}"


def documents(name: str, *types: str, columns: str = "", where: str = "") -> str:
    """A CTE of what is there of these types: resource_id, name, account, doc, and `columns` over `doc`."""
    listed = ", ".join(f"'{type_}'" for type_ in types)
    more = f", {columns}" if columns else ""
    narrowed = f" AND {where}" if where else ""
    # OFFSET 0: the document is taken out of its storage once for all columns.
    return f"""{name} AS MATERIALIZED (
    SELECT resource_id, name, account, doc{more}
    FROM (
        SELECT p.resource_id, r.name, r.account, p.properties || '{{}}' AS doc
        FROM resource_properties p
        JOIN resources r ON r.tenant_id = p.tenant_id AND r.id = p.resource_id
        WHERE p.tenant_id = %(tenant)s AND p.type IN ({listed})
          AND r.status IS DISTINCT FROM 'deleted' AND r.status IS DISTINCT FROM 'reported'
        OFFSET 0
    ) d
    WHERE true{narrowed}
)"""


def text(item: str) -> str:
    """A jsonb string as text."""
    return f"({item} #>> '{{}}')"


def number(item: str, otherwise: str) -> str:
    """A jsonb number or text of digits as a number."""
    return f"CASE WHEN {text(item)} ~ '^[0-9]{{1,9}}$' THEN {text(item)}::int ELSE {otherwise} END"


def port_words(low: str, high: str) -> str:
    """A range of ports as people say it."""
    return (
        f"CASE WHEN {low} <= 0 AND {high} >= 65535 THEN 'every port' WHEN {low} = {high} "
        f"THEN 'port ' || {low} ELSE 'ports ' || {low} || '-' || {high} END"
    )


def ports_between(low: str, high: str, ports: tuple[int, ...] = ADMIN_PORTS) -> str:
    return (
        f"EXISTS (SELECT FROM unnest(ARRAY[{', '.join(map(str, ports))}]) p WHERE p BETWEEN {low} AND {high})"
    )


def query(check: Check) -> str:
    """The check as the diff of a scan reads it: (resource_id, policy_id, outcome, reason), one row a resource.

    Several reasons of one resource are put together in order, up to a bound: the same facts give the same words.
    """
    facts = f"WITH {', '.join(check.facts)}" if check.facts else ""
    return f"""
    SELECT resource_id, %(policy)s::text AS policy_id, 'hit' AS outcome, left(
        array_to_string((array_agg(DISTINCT reason ORDER BY reason))[1:5], ' ')
        || CASE WHEN count(DISTINCT reason) > 5 THEN ' And ' || count(DISTINCT reason) - 5 || ' more.' ELSE '' END,
        3000) AS reason
    FROM ({facts} {check.hits}) found GROUP BY resource_id"""
