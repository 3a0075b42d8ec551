"""Statements: the hits of many policies in one pass, or of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from apps.rules.specialise import specialise
from apps.rules.sql.fragment import (
    EMPTY_OBJECT,
    NULL_TEXT,
    Sql,
    StatementTooLong,
    all_of,
    any_of,
    integer,
    join,
    negate,
    pooled,
    sql,
    statement,
    text,
    texts,
)
from apps.rules.sql.layers import Layers
from apps.rules.sql.reason import no_answer, reason
from apps.rules.sql.scope import COLUMNS, AboveColumns, Columns
from apps.rules.sql.translate import Translator, conjoined
from apps.rules.sql.values import Truth
from apps.rules.tree import PROVIDERS, Always, Column, Path, Rule

if TYPE_CHECKING:
    from apps.rules.compile import CompiledRule


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
    cases: list[Truth] = []
    told: list[tuple[int, Sql | None]] = []
    provider = _common_provider(policies)
    for code, (_, rule) in enumerate(policies, start=1):
        tree = rule.tree if rows.resource_type is None else specialise(rule.tree, rows.resource_type)
        truth = _policy_truth(tree, None if provider else rule.provider, walker)
        cases.append(truth)
        told.append((code, _told(reason, tree, columns, walker.tenant)))
        if truth.fails is not None:
            told.append((-code, _told(no_answer, tree, columns, walker.tenant)))
    layers = columns.layered(_base(columns, rows, provider), _cases(cases))
    words, arms = _arms(told, layers)
    return statement(
        "select x.id as resource_id, ({})[abs(x.code)] as policy_id,"
        " case when x.code > 0 then 'hit' else 'error' end as outcome,"
        " {} as reason from ({}) x{}",
        texts([name for name, _ in policies]),
        statement("case x.code {} end", join(" ", arms)) if arms else NULL_TEXT,
        _coded(layers, [code for code, _ in told]),
        words,
    )


def _arms(told: Sequence[tuple[int, Sql | None]], layers: Layers) -> tuple[Sql, list[Sql]]:
    """What is joined to the rows, and the reasons' WHEN branches.

    A statement has at most 65,535 parameters: beyond a few thousand the texts of a branch are one array, which is
    slower to read, the more so the longer it is.
    """
    written = [(code, _above(layers, expression)) for code, expression in told]
    pools: list[Sql] = []
    if sum(len(expression.params) for _, expression in written) > _PARAMETERS:
        for number, (code, expression) in enumerate(written):
            words: list[str] = []
            written[number] = (code, pooled(expression, f"w.words{number}", words))
            pools.append(statement(f"{{}} as words{number}", texts(words)))
    joined = statement(" cross join (select {} offset 0) w", join(", ", pools)) if pools else Sql("")
    return joined, [statement("when {} then {}", integer(code), expression) for code, expression in written]


_PARAMETERS = 4_000


def _above(layers: Layers, expression: Sql | None) -> Sql:
    try:
        return text(_NO_REASON) if expression is None else layers.above(expression)
    except StatementTooLong:
        return text(_NO_REASON)


_FEW = 15
"""Policies whose outcomes are bits of an integer, two for each. An array is taken apart in a memory of its own for each
row; of many policies each row that is hit would be held against all."""


def _bit(code: int) -> int:
    return 1 << (2 * abs(code) - (2 if code > 0 else 1))


def _cases(truths: Sequence[Truth]) -> list[Sql]:
    """Of each policy the expression from which `_coded` makes its codes."""
    if len(truths) == 1 and truths[0].error is None:
        return [truths[0].holds]
    few = 1 < len(truths) <= _FEW
    cases = []
    for code, truth in enumerate(truths, start=1):
        hit, no_answer_ = (Sql(f"({_bit(each) if few else each})") for each in (code, -code))
        whens = [sql("when {} then {}", truth.holds, hit)]
        error = truth.error if truth.undecided is not None else truth.fails and negate(truth.fails)
        if error is not None:
            # What is not true is an error where it is not false either.
            whens.append(sql("when {} then {}", error, no_answer_))
        cases.append(sql("case {}{} end", join(" ", whens), Sql(" else 0" if few else "")))
    return cases


def _coded(layers: Layers, codes: Sequence[int]) -> Sql:
    """The rows with the column `code`: once for each policy that hits or has no answer, and not without one."""
    if not layers.readers:
        return statement("select x.*, 0 as code from ({}) x where false", layers.rows)
    if list(codes) == [1]:
        return statement("select x.*, 1 as code from ({}) x where {}", layers.rows, layers.readers[0])
    if len(layers.readers) == 1:
        found = statement("select x.*, {} as code from ({}) x offset 0", layers.readers[0], layers.rows)
        return statement("select x.* from ({}) x where x.code is not null", found)
    if len(layers.readers) <= _FEW:
        bits = Sql(", ".join(f"({code}, {_bit(code)})" for code in codes))
        marked = "select x.*, {} as hits from ({}) x offset 0"
        found = statement(marked, join(" | ", layers.readers), layers.rows)
        # LEFT, so that the rows are never what the few codes are joined to: they would be made again for each.
        return statement(
            "select x.*, k.code from ({}) x left join (values {}) k(code, bit) on x.hits & k.bit <> 0"
            " where x.hits <> 0",
            found,
            bits,
        )
    listed = "select x.*, array_remove(array[{}]::integer[], null) as hits from ({}) x offset 0"
    found = statement(listed, join(", ", layers.readers), layers.rows)
    return statement(
        "select x.*, unnest(x.hits) as code from ({}) x where x.hits <> array[]::integer[]", found
    )


def _common_provider(policies: Sequence[tuple[str, CompiledRule]]) -> str | None:
    """The provider whose resources all of the policies are about."""
    providers = {rule.provider for _, rule in policies}
    return providers.pop() if len(providers) == 1 else None


def _told(tell: Callable[[Rule, Translator], Sql], tree: Rule, columns: Columns, tenant: Sql) -> Sql | None:
    """A reason's expression, over what the layers keep: it is computed for hits and errors only. None of one that would
    be too long."""
    try:
        return tell(tree, Translator(AboveColumns(columns), tenant))
    except StatementTooLong:
        return None


_NO_REASON = "Open the explanation to see which conditions decided."


def _policy_truth(tree: Rule, provider_name: str | None, walker: Translator) -> Truth:
    truth = walker.truth(tree)
    if provider_name is None or tree == Always(False):
        return truth
    column = walker.value(Path(Column("provider"))).text()
    provider = sql("({} = {})", column, text(provider_name))
    return conjoined([Truth(provider), truth])


def _base(columns: Columns, rows: RowFilter, provider: str | None) -> Sql:
    """The innermost subselect: the rows to look at, with no more than the rules read."""
    if columns.reads_document and columns.base <= {"id"} and rows.resource_type is not None:
        return _documents(rows, rows.resource_type, provider)
    selected = ["r.id", *(f"r.{COLUMNS[name]}" for name in sorted(columns.base - {"id"}))]
    source = "resources r"
    tenant = Sql("%s::uuid", (str(rows.tenant_id),))
    conditions = [sql("r.tenant_id = {}", tenant), *_named("r.id", rows)]
    if columns.reads_document:
        selected.append(f"{_FLAT} as doc")
        source += " join resource_properties p on p.resource_id = r.id"
        conditions.append(sql("p.tenant_id = {}", tenant))
    if provider is not None:
        conditions.append(sql("r.provider = {}", text(provider)))
    if rows.resource_type is not None:
        conditions.append(sql("r.type = {}", text(rows.resource_type)))
        if columns.reads_document:
            # The same type beside the document: those of one type are read without a pass over all of them.
            conditions.append(sql("p.type = {}", text(rows.resource_type)))
    if rows.without_deleted:
        conditions.append(sql("coalesce(r.status, '') not in ('deleted', 'reported')"))
    flat = [EMPTY_OBJECT] if columns.reads_document else []
    return statement(
        f"select {', '.join(selected)} from {source} where {{}} offset 0", *flat, all_of(conditions)
    )


_FLAT = "p.properties || {}"
"""Concatenating nothing makes a flat copy: a TOASTed document is then decompressed once, not at every arrow."""


def _documents(rows: RowFilter, resource_type: str, provider: str | None) -> Sql:
    """The same of rules that read nothing but the document: all of the type's, without those of the few resources that
    are not meant. Each has its resource and the type of it (a foreign key and triggers hold that), so that the others
    need not be looked up."""
    tenant, type_ = Sql("%s::uuid", (str(rows.tenant_id),)), text(resource_type)
    conditions = [sql("p.tenant_id = {} and p.type = {}", tenant, type_), *_named("p.resource_id", rows)]
    unmeant: list[Sql] = []
    if provider is not None:
        # By name and not by <>: so they are found in an index, or that there are none.
        unmeant.append(sql("r.provider = any({})", texts(sorted(PROVIDERS - {provider}))))
    if rows.without_deleted:
        unmeant.append(sql("r.status in ('deleted', 'reported')"))
    if unmeant:
        of_type = sql("r.tenant_id = {} and r.type = {}", tenant, type_)
        conditions.append(
            sql(
                "not exists (select 1 from resources r where r.id = p.resource_id and {})",
                all_of([of_type, any_of(unmeant), *_named("r.id", rows)]),
            )
        )
    return statement(
        f"select p.resource_id as id, {_FLAT} as doc from resource_properties p where {{}} offset 0",
        EMPTY_OBJECT,
        all_of(conditions),
    )


def _named(column: str, rows: RowFilter) -> list[Sql]:
    """The conditions that the resources are those that are asked for."""
    named = []
    if rows.resource_id is not None:
        named.append(sql(f"{column} = {{}}", text(rows.resource_id)))
    if rows.resource_ids is not None:
        named.append(sql(f"{column} = any({{}})", texts(list(rows.resource_ids))))
    return named
