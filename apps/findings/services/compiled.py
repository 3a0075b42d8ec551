"""The statement that a policy becomes, as an administrator may see it, with the plan that PostgreSQL has for it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.catalog.models import Policy
from apps.core.context import current_tenant_id
from apps.rules.sql.layout import laid_out
from apps.rules.sql.query import hits_query

from .preview import compile_for_preview, definition_of
from .reading import bounded_reading

PLAN_TIMEOUT_MS = 3_000
LONGEST = 200_000


@dataclass(frozen=True)
class Compiled:
    """`sql` is broken into lines and has `%s` placeholders, `params` their values in order; `plan` is EXPLAIN's text,
    not executed."""

    sql: str
    params: tuple[str, ...]
    plan: str
    types: tuple[str, ...] | None
    cut: bool


def compiled_of(*, policy: Policy) -> Compiled:
    """The statement of one policy over all resources. Raises InvalidInput where it does not compile as it stands,
    TookTooLong. Nothing is executed."""
    rule = compile_for_preview(policy.language, definition_of(policy), policy.parameters)
    query = hits_query([(policy.pk, rule)], tenant_id=current_tenant_id())
    with bounded_reading(PLAN_TIMEOUT_MS) as cursor:
        cursor.execute(f"EXPLAIN (COSTS ON, VERBOSE OFF) {query.text}", query.params)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    return Compiled(
        sql=laid_out(query.text[:LONGEST]),
        params=tuple(str(param)[:200] for param in query.params),
        plan=plan[:LONGEST],
        types=tuple(sorted(rule.resource_types)) if rule.resource_types is not None else None,
        cut=len(query.text) > LONGEST or len(plan) > LONGEST,
    )
