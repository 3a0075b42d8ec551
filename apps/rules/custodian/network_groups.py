"""The filters ingress and egress of Azure network security groups.

Source: c7n-azure (2026-08) `network_security_group.py` and `PortsRangeHelper`: of the rules that apply, the
one of the lowest priority number decides each port; a port that no rule names is denied.

What is asked of 65,536 ports is decided at those where the answer can change: where a range begins, and
after each end of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.rules.custodian.context import Context, Filter, only_keys, text_setting
from apps.rules.custodian.equality import known
from apps.rules.custodian.fragments import by_kind, once
from apps.rules.dialect import Function, SqlScope
from apps.rules.errors import EvaluationError, InvalidPolicy, Unsupported
from apps.rules.sql.fragment import Sql, any_of, closed, join, reading, sql, text
from apps.rules.sql.values import SqlValue
from apps.rules.tree import Compare, Const, Document, Func, Json, JsonOrMissing, Key, Path, Rule, negation

LAST_PORT = 65_535
_PORTS = r"\d+(-\d+)?(,\d+(-\d+)?)*"
_RANGE = r"^(\*|[0-9]{1,5}(-[0-9]{1,5})?)$"
_SETTINGS = {"match", "ports", "exceptPorts", "ipProtocol", "access", "source", "destination"}
_DIRECTIONS = {"ingress": "inbound", "egress": "outbound"}
_NO_PRIORITY = 10_000

Range = tuple[int, int]


def group_filter(data: Filter, context: Context, at: str) -> Rule:
    """All (or any) of the ports asked about are allowed (or denied)."""
    for name in ("Cidr", "match-operator"):
        if name in data:
            raise Unsupported(f"{at}.{name}", f"{name} of a network security group is not supported")
    only_keys(data, _SETTINGS, at)
    access = text_setting(data, "access", f"{at}.access", "")
    match = text_setting(data, "match", f"{at}.match", "all")
    if access not in ("Allow", "Deny"):
        raise InvalidPolicy(f"{at}.access", "access is Allow or Deny")
    if match not in ("all", "any"):
        raise InvalidPolicy(f"{at}.match", "match is all or any")
    asked: dict[str, Json] = {
        "direction": _DIRECTIONS[str(data["type"])],
        "protocol": text_setting(data, "ipProtocol", f"{at}.ipProtocol", "*").strip().lower(),
        "source": text_setting(data, "source", f"{at}.source", ""),
        "destination": text_setting(data, "destination", f"{at}.destination", ""),
        "ranges": [[low, high] for low, high in _asked_ranges(data, at)],
    }
    rules = Path(Document(), (Key("properties"), Key("securityRules")), "properties.securityRules")
    # All ports are allowed where none is denied.
    wanted = access if match == "any" else {"Allow": "Deny", "Deny": "Allow"}[access]
    found = Func(
        "custodian",
        "ports-decided",
        (rules, Const(asked), Const(wanted)),
        f"ports that rules {wanted.lower()}",
    )
    some = Compare("custodian", "equal", found, Const(True), at)
    return some if match == "any" else negation(some, at)


def _asked_ranges(data: Filter, at: str) -> list[Range]:
    """The ports asked about, as ranges, those excepted taken out."""
    wanted = _parsed(text_setting(data, "ports", f"{at}.ports", f"0-{LAST_PORT}"), f"{at}.ports")
    excepted = _parsed(data["exceptPorts"], f"{at}.exceptPorts") if data.get("exceptPorts") else []
    ports = {port for low, high in wanted for port in range(low, high + 1)}
    ports -= {port for low, high in excepted for port in range(low, high + 1)}
    ranges: list[Range] = []
    for port in sorted(ports):
        if ranges and ranges[-1][1] == port - 1:
            ranges[-1] = (ranges[-1][0], port)
        else:
            ranges.append((port, port))
    return ranges


def _parsed(written: object, at: str) -> list[Range]:
    if not isinstance(written, str) or re.fullmatch(_PORTS, written) is None or len(written) > 2_000:
        raise InvalidPolicy(at, 'ports are written as "22,80-90"')
    found = [_range(part) for part in written.split(",")]
    if any(low > high or high > LAST_PORT for low, high in found):
        raise InvalidPolicy(at, f"a range of ports runs upwards, to {LAST_PORT} at most")
    return found


def _range(written: str) -> Range:
    if written == "*":
        return 0, LAST_PORT
    low, _, high = written.partition("-")
    return int(low), int(high or low)


# --- in Python ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Decision:
    priority: Decimal
    low: int
    high: int
    allows: bool


def _ports_decided(args: Sequence[JsonOrMissing]) -> JsonOrMissing:
    rules, asked, wanted = known(args[0]), args[1], args[2]
    if not isinstance(asked, dict):
        raise TypeError("the ports asked about are a setting")
    decisions = [
        each for rule in (rules if isinstance(rules, list) else []) for each in _decisions(rule, asked)
    ]
    decisions.sort(key=lambda each: each.priority)
    ranges: list[Range] = [(low, high) for low, high in asked["ranges"]]  # type: ignore[union-attr, misc, str-unpack]
    turns = {low for low, _ in ranges} | {d.low for d in decisions} | {d.high + 1 for d in decisions}
    ports = [port for port in turns if any(low <= port <= high for low, high in ranges)]
    return any(_allowed(port, decisions) is (wanted == "Allow") for port in ports)


def _allowed(port: int, decisions: Sequence[_Decision]) -> bool:
    return next((each.allows for each in decisions if each.low <= port <= each.high), False)


def _decisions(rule: Json, asked: Mapping[str, Any]) -> list[_Decision]:
    held = rule.get("properties") if isinstance(rule, dict) else None
    if not isinstance(held, dict) or not _applies(held, asked):
        return []
    single = held.get("destinationPortRange")
    ranges = [single] if single else held.get("destinationPortRanges")
    priority = held.get("priority")
    rank = Decimal(priority) if isinstance(priority, (int, Decimal)) else Decimal(_NO_PRIORITY)
    found = []
    for written in ranges if isinstance(ranges, list) else []:
        if not isinstance(written, str) or re.search(_RANGE.replace("$", r"\Z"), written) is None:
            raise EvaluationError("a rule names ports that cannot be read")
        low, high = _range(written)
        found.append(_Decision(rank, low, high, _folded(held.get("access")) == "allow"))
    return found


def _folded(value: Json) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _applies(held: Mapping[str, Json], asked: Mapping[str, Any]) -> bool:
    protocol = _folded(held.get("protocol"))
    return (
        _folded(held.get("direction")) == asked["direction"]
        and (asked["protocol"] == "*" or protocol in ("*", asked["protocol"]))
        and all(_among(held, side, asked[side]) for side in ("source", "destination"))
    )


def _among(held: Mapping[str, Json], side: str, address: str) -> bool:
    several = held.get(f"{side}AddressPrefixes")
    listed = several if isinstance(several, list) else []
    return not address or address in listed or held.get(f"{side}AddressPrefix") == address


# --- in SQL ---------------------------------------------------------------------------------------------------


def _ports_decided_sql(args: Sequence[SqlValue], scope: SqlScope) -> SqlValue:
    asked: dict[str, Any] = args[1].constant  # type: ignore[assignment]
    wanted = args[2].constant == "Allow"

    def decided(x: Sql) -> Sql:
        outcome = "d.allows" if wanted else "not d.allows"
        return sql(
            "(with rule as ({}), asked(low, high) as (select * from unnest({}, {}))"
            " select case when exists (select 1 from rule where low is null) then null else to_jsonb(exists ("
            "select 1 from (select coalesce((select r.allows from rule r where port between r.low and r.high"
            " order by r.priority, r.ord limit 1), false) as allows from ("
            "select low from asked union select low from rule union select high + 1 from rule) p(port)"
            f" where exists (select 1 from asked a where port between a.low and a.high)) d where {outcome})) end)",
            _rules(x, asked),
            _numbers([low for low, _ in asked["ranges"]]),
            _numbers([high for _, high in asked["ranges"]]),
        )

    nothing = sql("to_jsonb({})", Sql("false" if wanted or not asked["ranges"] else "true"))
    found = scope.share(once(args[0], scope, lambda x: by_kind(x, {"array": decided(x)}, nothing)))
    return SqlValue("json", found, sql("({} is not null)", found))


def _numbers(values: list[int]) -> Sql:
    return Sql("%s::integer[]", (values,))


def _rules(x: Sql, asked: Mapping[str, Any]) -> Sql:
    """The ranges of ports of the rules that apply; `low` is NULL where one cannot be read."""

    def folded(name: str) -> Sql:
        return sql('lower(btrim({}) collate "C")', _member(name))

    conditions = [sql("{} = {}", folded("direction"), text(asked["direction"]))]
    if asked["protocol"] != "*":
        conditions.append(sql("{} in ('*', {})", folded("protocol"), text(asked["protocol"])))
    for side in ("source", "destination"):
        if asked[side]:
            held = sql(
                f"coalesce(jsonb_exists(e.value -> 'properties' -> '{side}AddressPrefixes', {{}}), false)",
                text(asked[side]),
            )
            conditions.append(
                any_of(
                    [
                        held,
                        sql("coalesce({} = {}, false)", _member(f"{side}AddressPrefix"), text(asked[side])),
                    ]
                )
            )
    readable = sql("g.value ~ {}", text(_RANGE))
    low = sql(
        "case when not ({}) then null when g.value = '*' then 0 else split_part(g.value, '-', 1)::integer end",
        readable,
    )
    high = sql(
        "case when not ({}) then null when g.value = '*' then 65535 when strpos(g.value, '-') > 0"
        " then split_part(g.value, '-', 2)::integer else g.value::integer end",
        readable,
    )
    found = sql(
        "select {} as low, {} as high, coalesce({} = 'allow', false) as allows, e.ord,"
        " case when jsonb_typeof(e.value -> 'properties' -> 'priority') = 'number'"
        " then (e.value -> 'properties' ->> 'priority')::numeric else {} end as priority"
        " from jsonb_array_elements({}) with ordinality e(value, ord) cross join lateral jsonb_array_elements_text("
        "case when coalesce(e.value -> 'properties' ->> 'destinationPortRange', '') <> ''"
        " then jsonb_build_array(e.value -> 'properties' -> 'destinationPortRange')"
        " when jsonb_typeof(e.value -> 'properties' -> 'destinationPortRanges') = 'array'"
        " then e.value -> 'properties' -> 'destinationPortRanges' else jsonb_build_array() end) g(value) where {}",
        low,
        high,
        folded("access"),
        Sql(str(_NO_PRIORITY)),
        x,
        join(" and ", conditions),
    )
    return closed(found, "e")


def _member(name: str) -> Sql:
    return reading("e", f"(e.value -> 'properties' ->> '{name}')")


FUNCTIONS = {"ports-decided": Function(_ports_decided, _ports_decided_sql)}
