"""The filters ingress and egress of AWS security groups, whose rules the inventory's document holds.

Source: c7n 0.9.53 `c7n/resources/vpc.py` `SGPermission`: each permission is taken apart into one for every
range, prefix list and group that it names; one of these has to meet all settings (or any, by
`match-operator`). A setting about ports says nothing of a permission without ports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.rules.custodian.context import Context, Filter, only_keys
from apps.rules.custodian.value_filter import compared
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import (
    MISSING,
    Always,
    Compare,
    Const,
    Document,
    Element,
    Func,
    Key,
    Path,
    Quantify,
    Rule,
    Value,
    conjunction,
    disjunction,
    negation,
)

_LISTS = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
_VALUES = ("FromPort", "IpProtocol", "IpRanges", "PrefixListIds", "ToPort", "UserIdGroupPairs")
_SETTINGS = {
    *_VALUES,
    "Cidr",
    "CidrV6",
    "Ports",
    "OnlyPorts",
    "SelfReference",
    "Description",
    "SGReferences",
    "match-operator",
}
_DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a permission: `permission` and the element of its list `kind`."""

    data: Filter
    context: Context
    at: str
    kind: str
    permission: str
    element: str

    def of_permission(self, name: str) -> Path:
        return Path(Element(self.permission), (Key(name),), name)

    def of_element(self, name: str) -> Path:
        return Path(Element(self.element), (Key(name),), name)

    def value(self, setting: object, left: Value, name: str) -> Rule:
        """A setting that is a value filter without key, or a plain value."""
        at = f"{self.at}.{name}"
        if not isinstance(setting, Mapping):
            return compared({"value": setting}, left, self.context, at)
        for key in setting:
            if key not in ("op", "value", "value_type", "key", "type"):
                raise Unsupported(
                    f"{at}.{key}", f"{str(key)[:50]} in a setting of a security group filter is not supported"
                )
        if "value" not in setting:
            raise InvalidPolicy(at, "a value filter has a value")
        return compared(setting, left, self.context, at)


def permission_filter(data: Filter, context: Context, at: str) -> Rule:
    """Some part of some permission meets the settings."""
    only_keys(data, _SETTINGS, at)
    if "SGReferences" in data:
        raise Unsupported(f"{at}.SGReferences", "SGReferences looks at other security groups")
    permission = context.binding()
    parts = []
    for kind in _LISTS:
        part = _Part(data, context, at, kind, permission, context.binding())
        items = Path(Element(permission), (Key(kind),), kind)
        parts.append(Quantify("any", items, part.element, _part_rule(part), at=at))
    held = _DIRECTIONS[str(data["type"])]
    permissions = Path(Document(), (Key(held),), held)
    return Quantify("any", permissions, permission, disjunction(tuple(parts), at), at=at)


def _part_rule(part: _Part) -> Rule:
    terms = [*_value_terms(part), *_cidr_terms(part), *_reference_terms(part)]
    ports = _ports_term(part)
    either = part.data.get("match-operator", "and") == "or"
    if ports is None:
        return (disjunction if either else _all_but_none)(tuple(terms), part.at)
    there, holds = ports
    if either or not terms:
        return disjunction((*terms, conjunction((there, holds), part.at)), part.at)
    return conjunction((*terms, disjunction((negation(there, part.at), holds), part.at)), part.at)


def _all_but_none(terms: tuple[Rule, ...], at: str) -> Rule:
    """All of them; nothing is met where nothing is asked."""
    return conjunction(terms, at) if terms else Always(False)


def _value_terms(part: _Part) -> list[Rule]:
    terms = []
    for name in _VALUES:
        if name not in part.data:
            continue
        left: Value = part.of_permission(name)
        if name in _LISTS:
            whole = Path(Element(part.element), (), name)
            left = Func("custodian", "array", (whole,)) if name == part.kind else Const([])
        terms.append(part.value(part.data[name], left, name))
    if "Description" in part.data:
        terms.append(part.value(part.data["Description"], part.of_element("Description"), "Description"))
    return terms


def _cidr_terms(part: _Part) -> list[Rule]:
    terms = []
    for name, kind, key in (("CidrV6", "Ipv6Ranges", "CidrIpv6"), ("Cidr", "IpRanges", "CidrIp")):
        if name in part.data:
            rule = part.value(part.data[name], part.of_element(key), name)
            terms.append(rule if part.kind == kind else Always(False))
    if len(terms) < 2:
        return terms
    either = part.data.get("match-operator", "and") == "or"
    return [(disjunction if either else conjunction)(tuple(terms), part.at)]


def _reference_terms(part: _Part) -> list[Rule]:
    wanted = part.data.get("SelfReference")
    if wanted is None:
        return []
    if part.kind != "UserIdGroupPairs":
        return [Always(wanted is False)]
    group = Path(Document(), (Key("GroupId"),), "GroupId")
    itself = Compare("custodian", "jmespath-same", part.of_element("GroupId"), group, part.at)
    return [itself if wanted else negation(itself, part.at)]


def _ports_term(part: _Part) -> tuple[Rule, Rule] | None:
    """When the permission has ports, and what they must meet; None where nothing is asked of them."""
    ports = _port_list(part, "Ports")
    only = _port_list(part, "OnlyPorts")
    if not ports and not only:
        return None
    low, high = part.of_permission("FromPort"), part.of_permission("ToPort")
    there = conjunction(
        tuple(Compare("custodian", "exists", end, Const(MISSING), part.at) for end in (low, high))
    )
    rules: list[Rule] = []
    if ports:
        rules.append(disjunction(tuple(_spans(low, high, port, part.at) for port in ports), part.at))
    if only:
        exactly = [_exactly(low, high, port, part.at) for port in only]
        rules.append(negation(disjunction(tuple(exactly), part.at), part.at))
    return there, conjunction(tuple(rules), part.at)


def _port_list(part: _Part, name: str) -> Sequence[int]:
    ports = part.data.get(name) or []
    if not isinstance(ports, list) or any(isinstance(p, bool) or not isinstance(p, int) for p in ports):
        raise InvalidPolicy(f"{part.at}.{name}", f"{name} is a list of port numbers")
    return ports


def _spans(low: Path, high: Path, port: int, at: str) -> Rule:
    below = Compare("custodian", "less-or-equal", low, Const(port), at)
    return conjunction((below, Compare("custodian", "greater-or-equal", high, Const(port), at)), at)


def _exactly(low: Path, high: Path, port: int, at: str) -> Rule:
    return conjunction(tuple(Compare("custodian", "equal", end, Const(port), at) for end in (low, high)), at)
