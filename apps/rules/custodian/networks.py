"""The value types cidr and cidr_size.

Source: c7n 0.9.53 `parse_cidr` and `ValueFilter.process_value_type`: a text with `/` is an IPv4 network
without host bits or nothing, another text an address or nothing; a number, a truth value or null is an
error. Membership also holds between networks, and an address in the policy looks for itself in the
resource's network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, ip_address

from apps.rules.custodian.equality import known
from apps.rules.custodian.fragments import by_kind, once, string_of
from apps.rules.dialect import Function, Operator, SqlScope, ToSql
from apps.rules.errors import EvaluationError, InvalidPolicy, Unsupported
from apps.rules.sql.fragment import FALSE, NULL_JSON, TRUE, Sql, all_of, any_of, negate, sql, text
from apps.rules.sql.values import SqlValue, Truth
from apps.rules.tree import Compare, Const, Func, Json, JsonOrMissing, Rule, Value

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
ADDRESS = rf"^{_OCTET}(?:\.{_OCTET}){{3}}$"
NETWORK = rf"^{_OCTET}(?:\.{_OCTET}){{3}}/(?:3[0-2]|[12]?[0-9])$"

Parsed = IPv4Network | IPv4Address | IPv6Address | None


def parse(value: str) -> Parsed:
    """A text as a network or an address, None where it is neither."""
    try:
        if "/" not in value:
            return ip_address(value)
        return IPv4Network(value) if re.match(NETWORK[:-1] + r"\Z", value) else None
    except (AddressValueError, ValueError):
        return None


def _of_resource(value: JsonOrMissing) -> Parsed | list[Json]:
    plain = known(value)
    if isinstance(plain, str):
        return parse(plain)
    if isinstance(plain, dict):
        return None
    if isinstance(plain, list):
        if not all(isinstance(member, (str, dict)) for member in plain):
            raise EvaluationError("a list of networks holds something else")
        return plain
    raise EvaluationError("neither a network nor an address")


def _constants(value: JsonOrMissing) -> list[IPv4Network | IPv4Address]:
    listed = value if isinstance(value, list) else [value]
    found = [parse(each) for each in listed if isinstance(each, str)]
    return [each for each in found if isinstance(each, (IPv4Network, IPv4Address))]


def _equal(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    found = _of_resource(left)
    if isinstance(right, list) or isinstance(found, list):
        return False
    return found is not None and found == _constants(right)[0]


def _member(found: Parsed | list[Json], right: JsonOrMissing) -> bool | None:
    """Whether it is in the constant; None where Python raises TypeError."""
    constants = _constants(right)
    if isinstance(right, str) and isinstance(constants[0], IPv4Address):
        return constants[0] in found if isinstance(found, IPv4Network) else None
    if isinstance(found, list):
        if any(isinstance(each, IPv4Network) for each in constants):
            raise EvaluationError("a list of networks is in no network")
        return False
    return found is not None and any(_inside(found, each) for each in constants)


def _inside(found: Parsed, constant: IPv4Network | IPv4Address) -> bool:
    if isinstance(constant, IPv4Address):
        return found == constant
    if isinstance(found, IPv4Network):
        return found.subnet_of(constant)
    return isinstance(found, IPv4Address) and found in constant


def _in(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return _member(_or_nothing(left), right) is True


def _not_in(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return _member(_or_nothing(left), right) is False


def _ni(left: JsonOrMissing, right: JsonOrMissing) -> bool:
    return _member(_of_resource(left), right) is False


def _or_nothing(left: JsonOrMissing) -> Parsed | list[Json]:
    """For `in` and `not-in` None has become an empty tuple, which is no network."""
    return None if known(left) is None else _of_resource(left)


# --- SQL ------------------------------------------------------------------------------------------------------

_NO_TEXT = 'strict $[*] ? (@.type() != "string" && @.type() != "object")'


def _inet(value: object) -> Sql:
    return sql("{}::inet", text(str(value)))


def _is_network(written: Sql) -> Sql:
    """A network without host bits; only then is the text cast."""
    return sql(
        "case when {} ~ {} then network({}::inet) = {}::inet else false end",
        written,
        text(NETWORK),
        written,
        written,
    )


def _equal_sql(written: Sql, right: Json) -> Sql:
    if isinstance(right, list):
        return FALSE
    constant = _constants(right)[0]
    form = NETWORK if isinstance(constant, IPv4Network) else ADDRESS
    return sql(
        "case when {} ~ {} then {}::inet = {} else false end", written, text(form), written, _inet(constant)
    )


def _in_sql(written: Sql, right: Json) -> Sql:
    """Whether the text is in the constants."""
    tests = []
    for constant in _constants(right):
        if isinstance(constant, IPv4Address):
            tests.append(_equal_sql(written, str(constant)))
        else:
            tests.append(sql("{}::inet <<= {}", written, _inet(constant)))
    readable = any_of([sql("{} ~ {}", written, text(ADDRESS)), _is_network(written)])
    return sql("case when {} then {} else false end", readable, any_of(tests))


def _network_holds(written: Sql, address: object) -> Sql:
    return sql(
        "case when {} then {} <<= {}::inet else false end", _is_network(written), _inet(address), written
    )


def _holds_texts(x: Sql) -> Sql:
    return sql("not jsonb_path_exists({}, {}::jsonpath)", x, text(_NO_TEXT))


def _equality(*, wanted: bool) -> ToSql:
    def to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        constant = known(right.constant)  # type: ignore[arg-type]

        def equal(x: Sql) -> Sql:
            return by_kind(x, {"string": _equal_sql(string_of(x), constant)}, FALSE)

        def unequal(x: Sql) -> Sql:
            differs = negate(_equal_sql(string_of(x), constant))
            return by_kind(x, {"string": differs, "array": _holds_texts(x), "object": TRUE}, FALSE)

        truth = Truth(once(left, scope, equal), once(left, scope, unequal))
        return truth if wanted else truth.inverted()

    return to_sql


def _membership(*, wanted: bool, none_is_tuple: bool) -> ToSql:
    def to_sql(left: SqlValue, right: SqlValue, scope: SqlScope) -> Truth:
        constant = known(right.constant)  # type: ignore[arg-type]
        constants = _constants(constant)
        alone = isinstance(constant, str) and isinstance(constants[0], IPv4Address)
        no_network = not any(isinstance(each, IPv4Network) for each in constants)
        outside = FALSE if alone or wanted else TRUE  # an address holds nothing: TypeError, which is false

        def cases(x: Sql) -> dict[str, Sql]:
            written = string_of(x)
            inside = _network_holds(written, constants[0]) if alone else _in_sql(written, constant)
            holds = inside if wanted else negate(inside)
            if alone:
                holds = sql("case when {} then {} else false end", _is_network(written), holds)
            return {"string": holds, "object": outside} | ({"null": outside} if none_is_tuple else {})

        def holds(x: Sql) -> Sql:
            listed = all_of([outside, _holds_texts(x)]) if no_network else FALSE
            found = by_kind(x, cases(x) | {"array": listed}, FALSE)
            return _or_if_missing(x, found, outside if none_is_tuple else FALSE)

        def fails(x: Sql) -> Sql:
            listed = all_of([negate(outside), _holds_texts(x)]) if no_network else FALSE
            flipped = {kind: negate(each) for kind, each in cases(x).items()}
            found = by_kind(x, flipped | {"array": listed}, FALSE)
            return _or_if_missing(x, found, negate(outside) if none_is_tuple else FALSE)

        return Truth(once(left, scope, holds), once(left, scope, fails))

    return to_sql


def _or_if_missing(x: Sql, found: Sql, missing: Sql) -> Sql:
    return sql("case when {} is null then {} else {} end", x, missing, found)


_OUTSIDE, _INSIDE = "must not be in {}", "must be in {}"

OPERATORS = {
    "cidr-equal": Operator(_equal, _equality(wanted=True), ("must not be {}", "must be {}")),
    "cidr-not-equal": Operator(
        lambda left, right: not _equal(left, right),
        _equality(wanted=False),
        ("must be {}", "must not be {}"),
        positive=False,
    ),
    "cidr-in": Operator(_in, _membership(wanted=True, none_is_tuple=True), (_OUTSIDE, _INSIDE)),
    "cidr-not-in": Operator(
        _not_in, _membership(wanted=False, none_is_tuple=True), (_INSIDE, _OUTSIDE), positive=False
    ),
    "cidr-ni": Operator(
        _ni, _membership(wanted=False, none_is_tuple=False), (_INSIDE, _OUTSIDE), positive=False
    ),
}

_NETWORK_OPERATORS = {
    "equal": "cidr-equal", "not-equal": "cidr-not-equal", "in": "cidr-in", "not-in": "cidr-not-in", "ni": "cidr-ni",
}  # fmt: skip


def network_rule(operator: str | None, left: Value, constant: Json, at: str) -> Rule:
    """The rule of value_type cidr."""
    name = _NETWORK_OPERATORS.get(operator or "equal")
    if name is None:
        raise Unsupported(f"{at}.op", f"value_type cidr with {operator} is not supported")
    listed = constant if isinstance(constant, list) else [constant]
    for each in listed:
        if not isinstance(each, str) or not isinstance(parse(each), (IPv4Network, IPv4Address)):
            raise InvalidPolicy(
                f"{at}.value", "value_type cidr takes IPv4 networks without host bits, or addresses"
            )
    return Compare("custodian", name, left, Const(constant), at)


def prefix_rule(operator: str | None, left: Value, constant: Json, at: str) -> Rule:
    """The rule of value_type cidr_size: the prefix length is compared."""
    if operator not in (None, "equal", "not-equal", "greater", "greater-or-equal", "less", "less-or-equal"):
        raise Unsupported(f"{at}.op", f"value_type cidr_size with {operator} is not supported")
    size = Func("custodian", "prefix-length", (left,))
    return Compare("custodian", operator or "equal", size, Const(constant), at)


def _prefix_length(args: Sequence[JsonOrMissing]) -> Json:
    found = _of_resource(args[0])
    if found is None:
        return 0
    if not isinstance(found, IPv4Network):
        raise EvaluationError("an address has no prefix length")
    return found.prefixlen


def _prefix_length_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    def size(x: Sql) -> Sql:
        written = string_of(x)
        length = sql(
            "case when {} then to_jsonb(masklen({}::inet)) else to_jsonb(0) end",
            _is_network(written),
            written,
        )
        return by_kind(x, {"string": length, "object": sql("to_jsonb(0)")}, NULL_JSON)

    def valid(x: Sql) -> Sql:
        written = string_of(x)
        bare = sql(
            "case when strpos({}, '/') = 0 then not pg_input_is_valid({}, 'inet') else true end",
            written,
            written,
        )
        return by_kind(x, {"string": bare, "object": TRUE}, FALSE)

    return SqlValue("json", once(args[0], scope, size), once(args[0], scope, valid))


FUNCTIONS = {"prefix-length": Function(_prefix_length, _prefix_length_sql)}
