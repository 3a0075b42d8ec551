"""Template functions over texts. Source: Microsoft Learn, "String functions for ARM templates".

Letter case folds for A–Z only in toLower and toUpper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from apps.rules.azure.operands import Args, as_text, as_whole, fail, is_kind, whole_sql
from apps.rules.azure.texts import text_of
from apps.rules.dialect import Function, SqlScope
from apps.rules.sql.fragment import TRUE, Sql, all_of, join, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.text import ascii_lower
from apps.rules.tree import Json


def concat_value(args: Args) -> Json:
    if args and all(isinstance(arg, list) for arg in args):
        return [item for arg in args if isinstance(arg, list) for item in arg]
    if any(isinstance(arg, list | dict) for arg in args):
        raise fail("concat() needs texts, or arrays only")
    return "".join(text_of(arg) for arg in args)


def concat_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    texts = join(" || ", [sql("coalesce({}, '')", arg.text()) for arg in args])
    scalar = all_of([sql("not {}", is_kind(arg, "array", "object")) for arg in args])
    arrays = all_of([is_kind(arg, "array") for arg in args])
    merged = join(
        " || ",
        [sql("case when {} then {} end", is_kind(a, "array"), a.json()) for a in args],
    )
    both = sql("case when {} then {} else to_jsonb({}) end", arrays, merged, texts)
    return SqlValue("json", scope.share(both), sql("({} or {})", scalar, arrays))


def replace_value(args: Args) -> Json:
    whole, old, new = (as_text(arg, "replace()") for arg in args)
    return whole.replace(old, new) if old else whole


def replace_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    made = sql("replace({}, {}, {})", *(sql("coalesce({}, '')", arg.text()) for arg in args))
    return SqlValue("text", scope.share(made), all_of([is_kind(a, "string") for a in args]))


def _upper(value: str) -> str:
    return "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in value)


def cased(sql_name: str) -> Function:
    def evaluate(args: Args) -> Json:
        value = as_text(args[0], sql_name)
        return ascii_lower(value) if sql_name == "lower" else _upper(value)

    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        made = sql(f'{sql_name}({{}} collate "C")', sql("coalesce({}, '')", args[0].text()))
        return SqlValue("text", scope.share(made), is_kind(args[0], "string"))

    return Function(evaluate, to_sql)


def trim_value(args: Args) -> Json:
    return as_text(args[0], "trim()").strip(" \t\r\n")


def trim_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    made = sql("btrim({}, {})", sql("coalesce({}, '')", args[0].text()), text(" \t\r\n"))
    return SqlValue("text", scope.share(made), is_kind(args[0], "string"))


def split_value(args: Args) -> Json:
    value = as_text(args[0], "split()")
    delimiters = args[1] if isinstance(args[1], list) else [args[1]]
    wanted = [as_text(each, "split()") for each in delimiters]
    if not wanted or "" in wanted:
        raise fail("split() needs a delimiter")
    return list(re.split("|".join(re.escape(each) for each in wanted), value))


def split_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    value, delimiter = scope.share(sql("coalesce({}, '')", args[0].text())), args[1].text()
    made = sql(
        "case when {} = '' then jsonb_build_array('') else to_jsonb(string_to_array({}, {})) end",
        value,
        value,
        delimiter,
    )
    usable = sql("coalesce({} <> '', false)", delimiter)
    valid = all_of([is_kind(args[0], "string"), is_kind(args[1], "string"), usable])
    return SqlValue("json", scope.share(made), valid)


def starts_value(args: Args) -> Json:
    whole, part = (as_text(arg, "startsWith()") for arg in args)
    return ascii_lower(whole).startswith(ascii_lower(part))


def ends_value(args: Args) -> Json:
    whole, part = (as_text(arg, "endsWith()") for arg in args)
    return ascii_lower(whole).endswith(ascii_lower(part))


def affix_sql(template: str) -> Callable[[Sequence[SqlValue], SqlScope], SqlValue]:
    def to_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
        folded = [sql("lower(coalesce({}, '') collate \"C\")", arg.text()) for arg in args]
        parts = folded if template.count("{}") == 2 else [folded[0], folded[1], folded[1]]
        return SqlValue("boolean", sql(template, *parts), all_of([is_kind(a, "string") for a in args]))

    return to_sql


def index_of_value(args: Args) -> Json:
    whole, part = (as_text(arg, "indexOf()") for arg in args)
    return ascii_lower(whole).find(ascii_lower(part))


def index_of_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    folded = [sql("lower(coalesce({}, '') collate \"C\")", arg.text()) for arg in args]
    valid = all_of([is_kind(a, "string") for a in args])
    return SqlValue("number", sql("(strpos({}, {}) - 1)", *folded), valid)


def substring_value(args: Args) -> Json:
    value = as_text(args[0], "substring()")
    start = as_whole(args[1])
    length = as_whole(args[2]) if len(args) > 2 else len(value) - start
    if start < 0 or length < 0 or start + length > len(value):
        raise fail("substring() reaches beyond its text")
    return value[start : start + length]


def substring_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    value = scope.share(sql("coalesce({}, '')", args[0].text()))
    start, start_whole = whole_sql(args[1])
    length, length_whole = whole_sql(args[2]) if len(args) > 2 else (sql("0"), TRUE)
    within = sql("({} >= 0 and {} >= 0 and {} + {} <= length({}))", start, length, start, length, value)
    valid = scope.share(all_of([is_kind(args[0], "string"), start_whole, length_whole, within]))
    first, how_many = _integer(start), _integer(length)
    rest = sql("substring({} from {} + 1)", value, first)
    part = sql("substring({} from {} + 1 for {})", value, first, how_many)
    made = sql("case when {} then {} end", valid, part if len(args) > 2 else rest)
    return SqlValue("text", scope.share(made), valid)


def _integer(number: Sql) -> Sql:
    """Within bounds before it is cast: PostgreSQL computes what is constant whatever the CASE around it says."""
    return sql("least(greatest({}, 0), 1000000000)::integer", number)
