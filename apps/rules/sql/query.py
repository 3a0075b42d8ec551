"""Statements: the hits of many policies in one pass, or of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from apps.rules.sql.fragment import Sql, all_of, integer, join, sql, text, texts
from apps.rules.sql.reason import reason
from apps.rules.sql.scope import COLUMNS, Columns
from apps.rules.sql.translate import Translator
from apps.rules.sql.values import Truth
from apps.rules.tree import Always, Column, Path

if TYPE_CHECKING:
    from apps.rules.compile import CompiledRule

REASON_LIMIT = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """A statement for psycopg: text with `%s` placeholders, and as many parameters."""

    text: str
    params: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which inventory rows a statement reads. Without anything: all rows of the tenant.

    `changed_since` is a transaction id (xid8, as int or str): rows changed, or whose properties changed, in
    it or later.
    """

    tenant_id: UUID | str
    resource_type: str | None = None
    changed_since: int | str | None = None
    resource_id: str | None = None


def hits_query(
    policies: Sequence[tuple[str, CompiledRule]],
    *,
    tenant_id: UUID | str,
    resource_type: str | None = None,
    changed_since: int | str | None = None,
    resource_id: str | None = None,
) -> SqlQuery:
    """One statement that finds every hit and error of the policies, in rows (resource_id, policy_id, outcome,
    reason).

    All four columns are text; outcome is 'hit' or 'error'; a resource that a policy does not hit gives no
    row. `policies` are (policy id, rule) pairs; ids are what comes back. Read-only; the caller sets
    statement_timeout.
    """
    rows = RowFilter(tenant_id, resource_type, changed_since, resource_id)
    applicable = [(name, rule) for name, rule in policies if _applies(rule, resource_type)]
    batches = [applicable[start : start + _BATCH] for start in range(0, max(len(applicable), 1), _BATCH)]
    whole = join(" union all ", [_batch_query(batch, rows) for batch in batches])
    return SqlQuery(whole.text, whole.params)


def group_by_type(
    policies: Sequence[tuple[str, CompiledRule]],
) -> dict[str | None, list[tuple[str, CompiledRule]]]:
    """The policies per resource type they can hit; under None those that may hit any type.

    One `hits_query` per entry, with the key as its resource_type, evaluates each policy exactly once a
    resource.
    """
    groups: dict[str | None, list[tuple[str, CompiledRule]]] = {}
    for name, rule in policies:
        keys: list[str | None] = [None] if rule.resource_types is None else sorted(rule.resource_types)
        for key in keys:
            groups.setdefault(key, []).append((name, rule))
    return groups


_BATCH = 250
"""Policies per pass: PostgreSQL allows 1,664 columns in a subselect and 65,535 parameters in a statement."""


def _applies(rule: CompiledRule, resource_type: str | None) -> bool:
    return resource_type is None or rule.resource_types is None or resource_type in rule.resource_types


def _batch_query(policies: Sequence[tuple[str, CompiledRule]], rows: RowFilter) -> Sql:
    columns = Columns()
    walker = Translator(columns, Sql("%s::uuid", (str(rows.tenant_id),)))
    cases: list[Sql] = []
    reasons: list[Sql] = []
    for code, (_, rule) in enumerate(policies, start=1):
        truth = _policy_truth(rule, walker)
        cases.append(_case(truth, code))
        explained = reason(rule.tree, walker)
        reasons.append(sql("when {} then {}", integer(code), explained))
    layered = columns.layered(_base(columns, rows))
    found = sql(
        "select x.*, array_remove(array[{}]::integer[], null) as hits from ({}) x offset 0",
        join(", ", cases),
        layered,
    )
    coded = sql("select x.*, unnest(x.hits) as code from ({}) x where x.hits <> array[]::integer[]", found)
    return sql(
        "select x.id as resource_id, ({})[abs(x.code)] as policy_id,"
        " case when x.code > 0 then 'hit' else 'error' end as outcome,"
        " case when x.code < 0 then {} else left(case x.code {} end, {}) end as reason from ({}) x",
        texts([name for name, _ in policies]),
        text(_NO_ANSWER),
        join(" ", reasons) if reasons else sql("when 0 then null::text"),
        integer(REASON_LIMIT),
        coded,
    )


_NO_ANSWER = "The rule has no answer for this resource: it compares values of different kinds."


def _policy_truth(rule: CompiledRule, walker: Translator) -> Truth:
    truth = walker.truth(rule.tree)
    if rule.provider is None or isinstance(rule.tree, Always):
        return truth
    column = walker.value(Path(Column("provider"))).text()
    provider = sql("{} = {}", column, text(rule.provider))
    if truth.fails is None:
        return Truth(all_of([provider, truth.holds]))
    return Truth(all_of([provider, truth.holds]), sql("(not {} or {})", provider, truth.fails))


def _case(truth: Truth, code: int) -> Sql:
    if truth.fails is None:
        return sql("case when {} then {} end", truth.holds, integer(code))
    return sql(
        "case when {} then {} when not ({}) then {} end",
        truth.holds,
        integer(code),
        truth.fails,
        integer(-code),
    )


def _base(columns: Columns, rows: RowFilter) -> Sql:
    """The subselect `b`: the rows to look at, with no more than the rules read."""
    selected = ["r.id", "r.tenant_id", *(f"r.{COLUMNS[name]}" for name in sorted(columns.base - {"id"}))]
    source = "resources r"
    if columns.reads_document:
        # Concatenating nothing makes a flat copy: a TOASTed document is then decompressed once, not at every
        # arrow.
        selected.append("p.properties || jsonb_build_object() as doc")
        source += " join resource_properties p on p.resource_id = r.id"
    conditions = [sql("r.tenant_id = {}", Sql("%s::uuid", (str(rows.tenant_id),)))]
    if columns.reads_document:
        conditions.append(sql("p.tenant_id = {}", Sql("%s::uuid", (str(rows.tenant_id),))))
    if rows.resource_type is not None:
        conditions.append(sql("r.type = {}", text(rows.resource_type)))
    if rows.resource_id is not None:
        conditions.append(sql("r.id = {}", text(rows.resource_id)))
    if rows.changed_since is not None:
        conditions.append(_changed(rows))
    return sql(f"select {', '.join(selected)} from {source} where {{}} offset 0", all_of(conditions))


def _changed(rows: RowFilter) -> Sql:
    tenant = Sql("%s::uuid", (str(rows.tenant_id),))
    since = Sql("%s::xid8", (str(rows.changed_since),))
    return sql(
        "r.id in (select id from resources where tenant_id = {} and changed_xid >= {}"
        " union select resource_id from resource_properties where tenant_id = {} and changed_xid >= {})",
        tenant,
        since,
        tenant,
        since,
    )
