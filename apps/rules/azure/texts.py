"""Texts as Azure Policy compares them: without regard to letter case, the same in Python and in SQL.

One letter folds to one letter, as .NET's OrdinalIgnoreCase does it: A–Z, and the Latin, Greek and Cyrillic
letters from U+00C0 to U+052F. No letter beyond A–Z folds to one within, so beside an ASCII literal the ASCII
half is enough: that is what the SQL does, once a row.
"""

from __future__ import annotations

from apps.rules.dialect import SqlScope
from apps.rules.sql.fragment import Sql, sql, text
from apps.rules.sql.values import NotConstant, SqlValue
from apps.rules.text import ascii_lower, plain_text
from apps.rules.tree import MISSING, JsonOrMissing

_PAIRS = [
    (chr(code), chr(code).lower())
    for code in range(0xC0, 0x530)
    if len(chr(code).lower()) == 1 and chr(code).lower() != chr(code) and ord(chr(code).lower()) > 127
]
_UPPERS = "".join(upper for upper, _ in _PAIRS)
_LOWERS = "".join(lower for _, lower in _PAIRS)
_TABLE = str.maketrans(_UPPERS, _LOWERS)


def text_of(value: JsonOrMissing) -> str:
    """A value as a condition sees it: missing and null are the empty text."""
    return "" if value is MISSING else plain_text(value) or ""


def text_sql(value: SqlValue) -> Sql:
    """`text_of` in SQL; never NULL."""
    known = value.constant
    if not isinstance(known, NotConstant):
        return text(text_of(known))
    return sql("coalesce({}, '')", value.text())


def fold(value: str) -> str:
    """A text in the form in which it is compared."""
    return ascii_lower(value).translate(_TABLE)


def fold_sql(value: SqlValue, scope: SqlScope, beside: str | None = None) -> Sql:
    """`fold` of a value's text in SQL; never NULL. `beside` is the literal it is compared with, if it is one."""
    known = value.constant
    if not isinstance(known, NotConstant):
        return text(fold(text_of(known)))
    if beside is not None and beside.isascii():
        return scope.share(sql("lower(coalesce({}, '') collate \"C\")", value.inline_text()))
    written = sql("coalesce({}, '')", value.text())
    return scope.share(
        sql(
            'case when octet_length({}) = length({}) then lower({} collate "C")'
            ' else translate(lower({} collate "C"), {}, {}) end',
            written,
            written,
            written,
            written,
            text(_UPPERS),
            text(_LOWERS),
        )
    )
