"""Statements: the hits of many policies in one pass, or of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from apps.rules.specialise import specialise
from apps.rules.sql.fragment import (
    EMPTY_OBJECT,
    Sql,
    StatementTooLong,
    all_of,
    integer,
    join,
    negate,
    pooled,
    sql,
    statement,
    text,
    texts,
)
from apps.rules.sql.reason import no_answer, reason
from apps.rules.sql.scope import COLUMNS, AboveColumns, Columns
from apps.rules.sql.translate import Translator, conjoined
from apps.rules.sql.values import Truth
from apps.rules.tree import Always, Column, Path, Rule

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
    """Which inventory rows a statement reads. Without anything: all rows of the tenant."""

    tenant_id: UUID | str
    resource_type: str | None = None
    resource_id: str | None = None
    resource_ids: Sequence[str] | None = None
    without_deleted: bool = False


def hits_query(
    policies: Sequence[tuple[str, CompiledRule]],
    *,
    tenant_id: UUID | str,
    resource_type: str | None = None,
    resource_id: str | None = None,
    resource_ids: Sequence[str] | None = None,
    without_deleted: bool = False,
) -> SqlQuery:
    """One statement that finds every hit and error of the policies, in rows (resource_id, policy_id, outcome,
    reason).

    All four columns are text; outcome is 'hit' or 'error'; a resource that a policy does not hit gives no
    row. `policies` are (policy id, rule) pairs; ids are what comes back. Rules that do not run
    (`CompiledRule.runs`) and rules of other types give nothing. `without_deleted` leaves out resources whose status
    is deleted, and those that only a report has named. Read-only; the caller sets statement_timeout.
    """
    rows = RowFilter(tenant_id, resource_type, resource_id, resource_ids, without_deleted)
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
        if not rule.runs:
            continue
        types: Sequence[str | None] = [None] if rule.resource_types is None else sorted(rule.resource_types)
        for key in types:
            groups.setdefault(key, []).append((name, rule))
    return groups


_BATCH = 250
"""Policies per pass: PostgreSQL allows 1,664 columns in a subselect and 65,535 parameters in a statement."""


def _applies(rule: CompiledRule, resource_type: str | None) -> bool:
    if not rule.runs:
        return False
    return resource_type is None or rule.resource_types is None or resource_type in rule.resource_types


def _batch_query(policies: Sequence[tuple[str, CompiledRule]], rows: RowFilter) -> Sql:
    columns = Columns()
    walker = Translator(columns, Sql("%s::uuid", (str(rows.tenant_id),)))
    cases: list[Sql] = []
    reasons: list[Sql] = []
    words: list[str] = []
    provider = _common_provider(policies)
    errors: list[Sql] = []
    for code, (_, rule) in enumerate(policies, start=1):
        tree = rule.tree if rows.resource_type is None else specialise(rule.tree, rows.resource_type)
        truth = _policy_truth(tree, None if provider else rule.provider, walker)
        cases.append(_case(truth, code))
        reasons.append(sql("when {} then {}", integer(code), _told(reason, tree, columns, walker.tenant)))
        if truth.fails is not None:
            errors.append(
                sql("when {} then {}", integer(-code), _told(no_answer, tree, columns, walker.tenant))
            )
    layered, cases = columns.layered(_base(columns, rows, provider), cases)
    told = pooled(join(" ", [*reasons, *errors]) if reasons else Sql("when 0 then null"), "w.words", words)
    coded = _coded(cases, layered)
    return statement(
        "select x.id as resource_id, ({})[abs(x.code)] as policy_id,"
        " case when x.code > 0 then 'hit' else 'error' end as outcome,"
        " left(case x.code {} end, {}) as reason from ({}) x cross join (select {} as words offset 0) w",
        texts([name for name, _ in policies]),
        told,
        integer(REASON_LIMIT),
        coded,
        texts(words),
    )


def _coded(cases: list[Sql], rows: Sql) -> Sql:
    """The rows with the column `code`: once for each policy that hits or has no answer, and not without one."""
    if len(cases) == 1:
        found = statement("select x.*, {} as code from ({}) x offset 0", cases[0], rows)
        return statement("select x.* from ({}) x where x.code is not null", found)
    listed = "select x.*, array_remove(array[{}]::integer[], null) as hits from ({}) x offset 0"
    found = statement(listed, join(", ", cases), rows)
    return statement(
        "select x.*, unnest(x.hits) as code from ({}) x where x.hits <> array[]::integer[]", found
    )


def _common_provider(policies: Sequence[tuple[str, CompiledRule]]) -> str | None:
    """The provider whose resources all of the policies are about."""
    providers = {rule.provider for _, rule in policies}
    return providers.pop() if len(providers) == 1 else None


def _told(tell: Callable[[Rule, Translator], Sql], tree: Rule, columns: Columns, tenant: Sql) -> Sql:
    """A reason's expression, over what the layers keep: it is computed for hits and errors only."""
    try:
        return tell(tree, Translator(AboveColumns(columns), tenant))
    except StatementTooLong:
        return text(_NO_REASON)


_NO_REASON = "Open the explanation to see which conditions decided."


def _policy_truth(tree: Rule, provider_name: str | None, walker: Translator) -> Truth:
    truth = walker.truth(tree)
    if provider_name is None or tree == Always(False):
        return truth
    column = walker.value(Path(Column("provider"))).text()
    provider = sql("({} = {})", column, text(provider_name))
    return conjoined([Truth(provider), truth])


def _case(truth: Truth, code: int) -> Sql:
    error = truth.error if truth.undecided is not None else truth.fails and negate(truth.fails)
    if error is None:
        return sql("case when {} then {} end", truth.holds, integer(code))
    # What is not true is an error where it is not false either.
    return sql("case when {} then {} when {} then {} end", truth.holds, integer(code), error, integer(-code))


def _base(columns: Columns, rows: RowFilter, provider: str | None) -> Sql:
    """The innermost subselect: the rows to look at, with no more than the rules read."""
    selected = ["r.id", *(f"r.{COLUMNS[name]}" for name in sorted(columns.base - {"id"}))]
    source = "resources r"
    if columns.reads_document:
        # Concatenating nothing makes a flat copy: a TOASTed document is then decompressed once, not at every
        # arrow.
        selected.append("p.properties || {} as doc")
        source += " join resource_properties p on p.resource_id = r.id"
    conditions = [sql("r.tenant_id = {}", Sql("%s::uuid", (str(rows.tenant_id),)))]
    if columns.reads_document:
        conditions.append(sql("p.tenant_id = {}", Sql("%s::uuid", (str(rows.tenant_id),))))
    if provider is not None:
        conditions.append(sql("r.provider = {}", text(provider)))
    if rows.resource_type is not None:
        conditions.append(sql("r.type = {}", text(rows.resource_type)))
        if columns.reads_document:
            # The same type beside the document: those of one type are read without a pass over all of them.
            conditions.append(sql("p.type = {}", text(rows.resource_type)))
    if rows.without_deleted:
        conditions.append(sql("coalesce(r.status, '') not in ('deleted', 'reported')"))
    if rows.resource_id is not None:
        conditions.append(sql("r.id = {}", text(rows.resource_id)))
    if rows.resource_ids is not None:
        conditions.append(sql("r.id = any({})", texts(list(rows.resource_ids))))
    flat = [EMPTY_OBJECT] if columns.reads_document else []
    return statement(
        f"select {', '.join(selected)} from {source} where {{}} offset 0", *flat, all_of(conditions)
    )
