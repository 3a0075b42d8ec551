"""Pieces of SQL that carry their parameters: the only way text of a statement is put together.

A template is text of this package; everything that comes from a policy is a parameter. `sql()` refuses a
percent sign in a template, so that a placeholder can only come from `text()`, `number()`, `jsonb()` or
`texts()`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


def sql(template: str, *parts: Sql) -> Sql:
    """The template with each `{}` replaced by the next part: `sql("lower({}) = {}", a, b)`."""
    if "%" in template:
        raise ValueError("a template holds no percent sign")
    pieces = template.split("{}")
    if len(pieces) != len(parts) + 1:
        raise ValueError(f"{len(pieces) - 1} places for {len(parts)} parts in {template!r}")
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
    )


def join(separator: str, parts: Iterable[Sql]) -> Sql:
    """The parts with the separator between them."""
    listed = list(parts)
    return sql(separator.join(["{}"] * len(listed)), *listed)


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
    """An integer parameter."""
    return Sql("%s::integer", (value,))


def jsonb(value: Json) -> Sql:
    """A jsonb parameter."""
    return Sql("%s::jsonb", (json.dumps(value, ensure_ascii=False, default=_plain_number),))


def _plain_number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"no JSON value: {type(value).__name__}")


EMPTY_OBJECT = Sql("%s::jsonb", ("{}",))
EMPTY_ARRAY = Sql("%s::jsonb", ("[]",))
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
