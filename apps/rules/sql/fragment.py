"""Pieces of SQL that carry their parameters: the only way text of a statement is put together.

A template is text of this package; everything that comes from a policy is a parameter. `sql()` refuses a
percent sign in a template, so that a placeholder can only come from `text()`, `number()`, `jsonb()` or
`texts()`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from apps.rules.tree import Json


@dataclass(frozen=True, slots=True)
class Sql:
    """Text with `%s` placeholders and the parameters they stand for, in order.

    `level` is 0 where it reads nothing of the row, 1 where it reads the row itself, and one more for every
    layer of computed columns; `local` is true if it reads an alias that exists only inside a subquery (an
    element, a related row), so that it cannot be computed beforehand.
    """

    text: str
    params: tuple[object, ...] = ()
    level: int = 0
    local: bool = False
    aliases: frozenset[str] = frozenset()
    """The aliases that a local one reads, where they are known."""


MAX_TEXT = 1_000_000
"""Characters of one expression. Functions nested in functions over elements are written out again for each use, so
that a small policy could ask for a huge statement."""


class StatementTooLong(Exception):
    """An expression has grown beyond `MAX_TEXT`; no part of it is used."""


def sql(template: str, *parts: Sql) -> Sql:
    """The template with each `{}` replaced by the next part: `sql("lower({}) = {}", a, b)`.

    Raises `StatementTooLong`.
    """
    return _filled(template, parts, MAX_TEXT)


def statement(template: str, *parts: Sql) -> Sql:
    """`sql()` for what is put together of many policies: its length is not bounded."""
    return _filled(template, parts, None)


def _filled(template: str, parts: Sequence[Sql], limit: int | None) -> Sql:
    if "%" in template:
        raise ValueError("a template holds no percent sign")
    pieces = template.split("{}")
    if len(pieces) != len(parts) + 1:
        raise ValueError(f"{len(pieces) - 1} places for {len(parts)} parts in {template!r}")
    if limit is not None and sum(len(part.text) for part in parts) > limit:
        raise StatementTooLong(f"an expression has more than {limit} characters")
    out = [pieces[0]]
    params: list[object] = []
    for part, rest in zip(parts, pieces[1:], strict=True):
        out.append(part.text)
        out.append(rest)
        params.extend(part.params)
    return Sql(
        "".join(out),
        tuple(params),
        max((part.level for part in parts), default=0),
        any(part.local for part in parts),
        frozenset().union(*(part.aliases or UNKNOWN for part in parts if part.local)),
    )


UNKNOWN = frozenset({"?"})


def reading(alias: str, text: str) -> Sql:
    """Text that reads the alias of a subquery."""
    return Sql(text, local=True, aliases=frozenset({alias}))


def closed(expression: Sql, *aliases: str) -> Sql:
    """A subquery, whose own aliases are read nowhere outside of it."""
    left = expression.aliases - set(aliases)
    return replace(expression, local=bool(left), aliases=left)


def join(separator: str, parts: Iterable[Sql]) -> Sql:
    """The parts with the separator between them; its length is not bounded."""
    listed = list(parts)
    return _filled(separator.join(["{}"] * len(listed)), listed, None)


def text(value: str) -> Sql:
    """A text parameter."""
    return Sql("%s::text", (value,))


def texts(values: Sequence[str]) -> Sql:
    """A text[] parameter."""
    return Sql("%s::text[]", (list(values),))


def number(value: int | float | Decimal) -> Sql:
    """A numeric parameter, exactly as Python writes it."""
    return Sql("%s::numeric", (str(value),))


def integer(value: int) -> Sql:
    """An integer, written out."""
    return Sql(f"({int(value):d})")


def jsonb(value: Json) -> Sql:
    """A jsonb parameter."""
    return Sql("%s::jsonb", (json.dumps(value, ensure_ascii=False, default=_plain_number),))


def _plain_number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"no JSON value: {type(value).__name__}")


EMPTY_OBJECT = Sql("%s::jsonb", ("{}",))
EMPTY_ARRAY = Sql("%s::jsonb", ("[]",))


def pooled(expression: Sql, column: str, pool: list[str]) -> Sql:
    """The expression with its text parameters taken from an array column instead, whose values are added to `pool`.

    A statement has at most 65,535 parameters; this way any number of texts is one of them.
    """
    pieces = expression.text.split("%s")
    out, params = [pieces[0]], []
    for value, rest in zip(expression.params, pieces[1:], strict=True):
        if isinstance(value, str) and rest.startswith("::text") and not rest.startswith("::text["):
            pool.append(value)
            out.append(f"{column}[{len(pool)}]{rest[len('::text') :]}")
        else:
            params.append(value)
            out.append(f"%s{rest}")
    return Sql("".join(out), tuple(params), expression.level, expression.local, expression.aliases)


TRUE = Sql("true")
FALSE = Sql("false")
NULL_JSON = Sql("null::jsonb")
NULL_TEXT = Sql("null::text")


def all_of(parts: Sequence[Sql]) -> Sql:
    """AND over the parts; true without any."""
    return _logical(" and ", [part for part in parts if part.text != "true"], TRUE)


def any_of(parts: Sequence[Sql]) -> Sql:
    """OR over the parts; false without any."""
    return _logical(" or ", [part for part in parts if part.text != "false"], FALSE)


def negate(part: Sql) -> Sql:
    """NOT of a part that is never NULL."""
    if part.text in ("true", "false"):
        return FALSE if part.text == "true" else TRUE
    return sql("not ({})", part)


def _logical(separator: str, parts: Sequence[Sql], empty: Sql) -> Sql:
    parts = list({(part.text, repr(part.params)): part for part in parts}.values())
    if not parts:
        return empty
    return parts[0] if len(parts) == 1 else sql("({})", join(separator, [sql("({})", p) for p in parts]))
