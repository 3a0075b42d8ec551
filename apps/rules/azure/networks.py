"""ipRangeContains(range, target): whether a range of addresses holds another.

Source: Microsoft Learn, "Azure Policy definition structure: policy rule", Policy functions. Either is an address, a
network in CIDR notation (host bits do not count), or "first-last"; any other text is an error. IPv4 in four decimal
numbers without leading zeros, IPv6 in hexadecimal groups; no scope and no dotted tail.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from apps.rules.azure.operands import Args, as_text, fail, is_kind
from apps.rules.dialect import SqlScope
from apps.rules.errors import EvaluationError
from apps.rules.sql.fragment import FALSE, TRUE, Sql, all_of, sql, text
from apps.rules.sql.values import NOT_CONSTANT, SqlValue
from apps.rules.tree import Json

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_GROUP = "[0-9A-Fa-f]{1,4}"
# Eight groups; or fewer, with `::` for the rest wherever it stands.
_V6 = "|".join(
    [
        f"(?:{_GROUP}:){{7}}{_GROUP}",
        f"(?:{_GROUP}:){{1,7}}:",
        *(f"(?:{_GROUP}:){{1,{n}}}(?::{_GROUP}){{1,{7 - n}}}" for n in range(6, 0, -1)),
        f":(?::{_GROUP}){{1,7}}",
        "::",
    ]
)
_ADDRESS = f"(?:{_V4}|{_V6})"
_NETWORK = f" *(?:{_V4}(?:/(?:3[0-2]|[12]?[0-9]))?|(?:{_V6})(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?) *"
_SPAN = f" *{_ADDRESS} *- *{_ADDRESS} *"
_IS_NETWORK, _IS_SPAN = re.compile(_NETWORK), re.compile(_SPAN)


def ends_of(value: str) -> tuple[Address, Address]:
    """The first and the last address of a range. Raises EvaluationError."""
    if _IS_NETWORK.fullmatch(value):
        network = ipaddress.ip_network(value.strip(" "), strict=False)
        return network.network_address, network.broadcast_address
    if _IS_SPAN.fullmatch(value):
        first, last = (ipaddress.ip_address(end.strip(" ")) for end in value.split("-"))
        if first.version == last.version:
            return first, last
    raise fail("ipRangeContains() needs addresses, networks or ranges of them")


def contains_value(args: Args) -> Json:
    outer, inner = (ends_of(as_text(arg, "ipRangeContains()")) for arg in args)
    if outer[0].version != inner[0].version:
        return False
    return int(outer[0]) <= int(inner[0]) and int(inner[1]) <= int(outer[1])


def contains_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    (first, last, valid), (low, high, known) = (_ends_sql(arg, scope) for arg in args)
    # Addresses without a mask compare by family and then by their bits.
    held = sql(
        "coalesce(family({}) = family({}) and {} <= {} and {} <= {}, false)",
        first,
        low,
        first,
        low,
        high,
        last,
    )
    return SqlValue("boolean", held, all_of([valid, known]))


def _ends_sql(arg: SqlValue, scope: SqlScope) -> tuple[Sql, Sql, Sql]:
    """The first and the last address as inet, and whether there are any; none of them raises."""
    if arg.constant is not NOT_CONSTANT:
        try:
            first, last = ends_of(as_text(arg.constant, "ipRangeContains()"))  # type: ignore[arg-type]
        except EvaluationError:
            return sql("null::inet"), sql("null::inet"), FALSE
        return sql("{}::inet", text(str(first))), sql("{}::inet", text(str(last))), TRUE
    value = scope.share(sql("coalesce({}, '')", arg.text()))
    is_text = is_kind(arg, "string")
    network = scope.share(sql("({} and {} ~ {})", is_text, value, text(f"^(?:{_NETWORK})$")))
    span = scope.share(sql("({} and {} ~ {})", is_text, value, text(f"^(?:{_SPAN})$")))
    ends = [
        scope.share(
            sql(
                f"case when {{}} then host({whole}(btrim({{}}, ' ')::inet))::inet"
                f" when {{}} then btrim(split_part({{}}, '-', {part}), ' ')::inet end",
                network,
                value,
                span,
                value,
            )
        )
        for whole, part in (("network", 1), ("broadcast", 2))
    ]
    return ends[0], ends[1], sql("coalesce(family({}) = family({}), false)", *ends)
