"""The operators over texts: regex, regex-case, glob.

Source: c7n 0.9.53 `regex_match`, `glob_match`: `re.match`, held to the start only; `regex` ignores letter
case; glob is `fnmatch`, which matches the whole and minds letter case. A value that is no string is false.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from apps.rules.custodian.charsets import complement, normal
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.custodian.regex_match import matches, node_matches
from apps.rules.custodian.regex_sql import anchored, postgres_pattern
from apps.rules.custodian.regexes import ANYTHING, Chars, End, Node, Repeat, Sequence
from apps.rules.dialect import Operator, SqlScope
from apps.rules.sql.fragment import FALSE, Sql, sql, text
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.tree import JsonOrMissing


@lru_cache(maxsize=512)
def glob_node(pattern: str) -> Node:
    """An fnmatch pattern: `*`, `?`, `[ab]`, `[!a-c]`; an unclosed `[` is itself."""
    items: list[Node] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*":
            items.append(Repeat(ANYTHING, 0, None))
        elif letter == "?":
            items.append(ANYTHING)
        elif letter == "[" and (end := _class_end(pattern, at)) is not None:
            items.append(_glob_class(pattern[at:end]))
            at = end + 1
        else:
            items.append(Chars(((ord(letter), ord(letter)),)))
    return Sequence((*items, End(newline=False)))


def _class_end(pattern: str, start: int) -> int | None:
    """Where the `]` of a class stands: not as its first character."""
    first = start + 1 if pattern[start : start + 1] == "!" else start
    end = pattern.find("]", first + 1)
    return None if end < 0 else end


def _glob_class(inside: str) -> Node:
    negated = inside.startswith("!")
    letters = inside[1:] if negated else inside
    ranges: list[tuple[int, int]] = []
    at = 0
    while at < len(letters):
        if at + 2 < len(letters) and letters[at + 1] == "-":
            low, high = ord(letters[at]), ord(letters[at + 2])
            ranges.extend([(low, high)] if low <= high else [])
            at += 3
        else:
            ranges.append((ord(letters[at]), ord(letters[at])))
            at += 1
    chosen = normal(ranges)
    return Chars(complement(chosen) if negated else chosen)


def _glob(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return isinstance(left, str) and isinstance(right, str) and node_matches(glob_node(right), left)


def _glob_sql(x: Sql, pattern: str) -> Sql:
    if "[" in pattern:
        return sql("{} ~ {}", string_of(x), text(anchored(glob_node(pattern))))
    escaped = "".join(f"\\{letter}" if letter in "\\%_" else letter for letter in pattern)
    return sql("{} like {}", string_of(x), text(escaped.replace("*", "%").replace("?", "_")))


def _regex(*, ignore_case: bool) -> Callable[[JsonOrMissing, JsonOrMissing], bool]:
    def evaluate(left: JsonOrMissing, right: JsonOrMissing) -> bool:
        return (
            isinstance(left, str) and isinstance(right, str) and matches(right, left, ignore_case=ignore_case)
        )

    return evaluate


def _regex_sql(*, ignore_case: bool) -> Callable[[Sql, str], Sql]:
    def build(x: Sql, pattern: str) -> Sql:
        return sql("{} ~ {}", string_of(x), text(postgres_pattern(pattern, ignore_case=ignore_case)))

    return build


def _operator(
    evaluate: Callable[[JsonOrMissing, JsonOrMissing], bool], build: Callable[[Sql, str], Sql]
) -> Operator:
    def to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        pattern = right.constant
        if not isinstance(pattern, str):
            return Truth(FALSE)
        return Truth(once(left, scope, lambda x: by_kind(x, {"string": build(x, pattern)}, FALSE)))

    return Operator(evaluate, to_sql, ("must not match {}", "must match {}"))


OPERATORS = {
    "glob": _operator(_glob, _glob_sql),
    "regex": _operator(_regex(ignore_case=True), _regex_sql(ignore_case=True)),
    "regex-case": _operator(_regex(ignore_case=False), _regex_sql(ignore_case=False)),
}
