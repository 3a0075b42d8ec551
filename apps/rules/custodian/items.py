"""The list that a list-item filter looks through.

Source: c7n 0.9.53 `ListItemFilter.process`: nothing, an empty value, false or 0 counts as an empty list;
anything else that is no list of objects is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.rules.custodian.fragments import by_kind, jsonbs, once
from apps.rules.custodian.presence import EMPTY_VALUES, is_filled
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import Sql, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.tree import MISSING, JsonOrMissing


def _items(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    value = args[0]
    if not is_filled(value):
        return MISSING
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise EvaluationError("a list of objects is expected here")
    return value


def _valid(x: Sql) -> Sql:
    objects = sql("not jsonb_path_exists({}, {}::jsonpath)", x, text('strict $[*] ? (@.type() != "object")'))
    empty = sql("coalesce({} = any({}), true)", x, jsonbs(EMPTY_VALUES))
    return by_kind(x, {"array": objects}, empty)


def _items_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    return SqlValue("json", scope.share(args[0].json()), once(args[0], scope, _valid))


FUNCTIONS = {"items": Function(_items, _items_sql)}
