"""Values with `{account_id}` and `{region}` in them, which c7n fills in when it runs.

Source: c7n 0.9.53 `Policy.expand_variables`: every text of a policy is formatted with the variables of the
run; a text that names an unknown one stays as it is. A run is of one account and region; here they are
those of the resource.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from apps.rules.custodian.fragments import by_kind, string_of
from apps.rules.custodian.regex_match import matches, node_matches
from apps.rules.custodian.regex_sql import anchored, postgres_pattern
from apps.rules.custodian.texts import glob_node
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError, Unsupported
from apps.rules.sql.fragment import FALSE, Sql, all_of, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.tree import Column, Compare, Const, Func, Json, JsonOrMissing, Path, Rule, Value

_KNOWN = {"account_id": "account", "region": "location"}
_REFUSED = {"partition", "policy", "now"}
_KEPT = {"account", "event", "op", "action_date", "service", "bucket_region", "bucket_name"}
"""Names that c7n formats as themselves: it fills them in later, in actions."""

_COLUMNS = (Path(Column("account"), (), "account"), Path(Column("location"), (), "region"))
_MARKS = {"account_id": "\uf8f0", "region": "\uf8f1"}
"""Characters of the private use area that hold a variable's place in a pattern."""


def template(constant: Json, at: str) -> str | None:
    """The text with its variables marked; None where it has none. Raises `Unsupported`."""
    if isinstance(constant, list):
        if any(template(each, at) is not None for each in constant if isinstance(each, str)):
            raise Unsupported(at, "a variable in a list of values is not supported")
        return None
    if not isinstance(constant, str) or "{" not in constant:
        return None
    try:
        parts = list(string.Formatter().parse(constant))
    except ValueError:
        return None
    names = [re.split(r"[.\[]", name)[0] for _, name, _, _ in parts if name is not None]
    if not names or not set(names) <= _KNOWN.keys() | _REFUSED | _KEPT:
        return None
    for name in names:
        if name in _REFUSED:
            raise Unsupported(at, f"the variable {{{name}}} is not supported")
    return "".join(
        literal + (_MARKS.get(name or "", f"{{{name}}}") if name else "") for literal, name, _, _ in parts
    )


def account_text() -> Func:
    """The account of the resource; an error where it is not known."""
    return Func("custodian", "filled", (Const(_MARKS["account_id"]), *_COLUMNS))


def filled(operator: str, left: Value, marked: str, at: str) -> Rule:
    """The rule of a comparison with a marked text."""
    if operator in ("equal", "not-equal"):
        return Compare(
            "custodian", operator, left, Func("custodian", "filled", (Const(marked), *_COLUMNS)), at
        )
    if operator in ("glob", "regex", "regex-case"):
        setting: list[Json] = [operator, marked]
        found = Func("custodian", "matches", (left, Const(setting), *_COLUMNS))
        return Compare("custodian", "equal", found, Const(True), at)
    raise Unsupported(at, f"a variable with the operator {operator} is not supported")


def _variables(args: Sequence[JsonOrMissing], marked: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for mark, value in zip(_MARKS.values(), args, strict=True):
        if mark in marked:
            if not isinstance(value, str):
                raise EvaluationError("the account or region of the resource is not known")
            found[mark] = value
    return found


def _filled(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    marked = str(args[0])
    for mark, value in _variables(args[1:], marked).items():
        marked = marked.replace(mark, value)
    return marked


def _matches(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    operator, marked = args[1]  # type: ignore[misc, str-unpack, arg-type]
    marked = str(marked)
    for mark, value in _variables(args[2:], marked).items():
        marked = marked.replace(
            mark, re.sub(r"([\[*?])", r"[\1]", value) if operator == "glob" else re.escape(value)
        )
    if not isinstance(args[0], str):
        return False
    if operator == "glob":
        return node_matches(glob_node(marked), args[0])
    return matches(marked, args[0], ignore_case=operator == "regex")


def _known_sql(marked: str, columns: Sequence[SqlValue]) -> tuple[list[tuple[str, Sql]], Sql | None]:
    used = [
        (mark, column.text()) for mark, column in zip(_MARKS.values(), columns, strict=True) if mark in marked
    ]
    return used, all_of([sql("{} is not null", column) for _, column in used]) if used else None


def _filled_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    marked = str(args[0].constant)
    used, valid = _known_sql(marked, args[1:])
    made = text(marked)
    for mark, column in used:
        made = sql("replace({}, {}, {})", made, text(mark), column)
    return SqlValue("text", made, valid)


def _matches_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    operator, marked = args[1].constant  # type: ignore[misc, str-unpack, arg-type]
    marked = str(marked)
    if operator == "glob":
        written = anchored(glob_node(marked))
    else:
        written = postgres_pattern(marked, ignore_case=operator == "regex")
    used, valid = _known_sql(marked, args[2:])
    pattern = text(written)
    for mark, column in used:
        escaped = sql("regexp_replace({}, {}, {}, 'g')", column, text("([^A-Za-z0-9])"), text(r"\\\1"))
        pattern = sql("replace({}, {}, {})", pattern, text(f"\\u{ord(mark):04x}"), escaped)
    x = scope.share(args[0].json())
    held = by_kind(x, {"string": sql("coalesce({} ~ {}, false)", string_of(x), pattern)}, FALSE)
    return SqlValue("boolean", held, valid)


FUNCTIONS = {"filled": Function(_filled, _filled_sql), "matches": Function(_matches, _matches_sql)}
