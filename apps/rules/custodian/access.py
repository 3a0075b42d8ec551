"""The filter cross-account, where the inventory's document holds the policy document.

Source: c7n 0.9.53 `c7n/filters/iamaccess.py` `PolicyChecker`: a statement is a violation where it allows
something to somebody outside the account, and no condition narrows it to those who are known. Conditions
are all looked at; one that is not known narrows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath

from apps.rules.custodian.context import Context, Filter, only_keys
from apps.rules.custodian.templates import account_text
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import (
    MISSING,
    Always,
    Compare,
    Const,
    Document,
    Element,
    Func,
    Json,
    Key,
    Path,
    Quantify,
    Rule,
    Value,
    conjunction,
    disjunction,
    negation,
)

ACCESS_RESOURCES: Mapping[str, str] = {
    "aws.s3": "Policy",
    "aws.sqs": "Policy",
    "aws.sns": "Policy",
    "aws.iam-role": "AssumeRolePolicyDocument",
    "aws.rest-api": "policy",
    "aws.destination": "accessPolicy",
}
"""Resources whose own description holds their policy document, and where."""

_ACCOUNT_KEYS = {
    "aws:sourceowner", "aws:sourceaccount", "aws:sourcearn", "aws:principalarn", "aws:principalaccount",
    "s3:dataaccesspointaccount",
}  # fmt: skip
_LISTS = {
    "actions", "whitelist", "whitelist_conditions", "whitelist_vpc", "whitelist_vpce", "whitelist_patterns",
    "whitelist_endpoints", "whitelist_protocols",
}  # fmt: skip
_REFUSED = {
    "whitelist_orgids": "cross-account with organisations is not supported",
    "whitelist_org_units": "cross-account with organisations is not supported",
}


@dataclass(frozen=True, slots=True)
class _Check:
    """The settings of one filter."""

    data: Filter
    context: Context
    at: str
    accounts: list[Json]

    def listed(self, name: str) -> list[Json]:
        return list(self.data.get(name, ()))

    def leaf(self, op: str, left: Value, right: Json) -> Rule:
        return Compare("custodian", op, left, Const(right), self.at)


def cross_account(data: Filter, context: Context, at: str) -> Rule:
    """Some statement of the policy is a violation (or, with `return_allowed`, is none)."""
    _check_settings(data, at)
    accounts: list[Json] = list(data.get("whitelist", ()))
    if context.resource == "aws.s3":
        accounts += _service_accounts()
    check = _Check(data, context, at, accounts)
    name = ACCESS_RESOURCES[context.resource]
    document = Path(Document(), (Key(name),), name)
    statements = Func("custodian", "statements", (document, Const(context.resource == "aws.rest-api")), name)
    binding = context.binding()
    violation = _violation(check, binding)
    allowed = data.get("return_allowed", False) is True
    found = Quantify("any", statements, binding, negation(violation, at) if allowed else violation, at=at)
    if context.resource != "aws.rest-api":
        return found
    # Without a policy of its own an API is open to everyone.
    unset = Compare("custodian", "empty", document, Const(MISSING), at)
    return found if allowed else disjunction((unset, found), at)


def _check_settings(data: Filter, at: str) -> None:
    for name in data:
        if name.endswith("_from"):
            raise Unsupported(f"{at}.{name}", "cross-account with a list from elsewhere is not supported")
        if name in _REFUSED:
            raise Unsupported(f"{at}.{name}", _REFUSED[name])
    only_keys(data, {*_LISTS, "everyone_only", "return_allowed"}, at)
    for name in _LISTS & set(data):
        if not isinstance(data[name], list) or not all(isinstance(each, str) for each in data[name]):
            raise InvalidPolicy(f"{at}.{name}", f"{name} is a list of texts")


@cache
def _service_accounts() -> list[str]:
    """Accounts of AWS itself that write logs into buckets."""
    found: list[str] = json.loads(FilePath(__file__).with_name("service_accounts.json").read_text())
    return found


def _violation(check: _Check, binding: str) -> Rule:
    def of(name: str) -> Path:
        return Path(Element(binding), (Key(name),), name)

    terms = [
        check.leaf("jmespath-same", of("Effect"), "Allow"),
        _meant(check, of("Principal"), of("NotPrincipal")),
        *_covered(check, of("Action")),
        negation(_narrowed(check, of("Condition")), check.at),
    ]
    return conjunction(tuple(terms), check.at)


def _covered(check: _Check, action: Path) -> list[Rule]:
    if not check.data.get("actions"):
        return []
    binding = check.context.binding()
    pattern = Path(Element(binding), (), "Action")
    covers = check.leaf("covers", pattern, check.listed("actions"))
    return [Quantify("any", Func("custodian", "to_array", (action,)), binding, covers, at=check.at)]


def _meant(check: _Check, principal: Path, not_principal: Path) -> Rule:
    """The statement means somebody who is not known."""
    binding = check.context.binding()
    who = Path(Element(binding), (), "Principal")
    stranger: list[Rule] = [check.leaf("jmespath-same", who, "*")]
    if not check.data.get("everyone_only"):
        known = [check.leaf("glob", who, "arn:aws:iam::cloudfront:user*")]
        known += [check.leaf("glob", who, pattern) for pattern in check.listed("whitelist_patterns")]
        known.append(_is_known(check, who))
        stranger.append(negation(disjunction(tuple(known), check.at), check.at))
    principals = Func("custodian", "principals", (principal,), "Principal")
    return disjunction(
        (
            Compare("custodian", "exists", not_principal, Const(MISSING), check.at),
            Compare("custodian", "empty", principal, Const(MISSING), check.at),
            Quantify("any", principals, binding, disjunction(tuple(stranger), check.at), at=check.at),
        ),
        check.at,
    )


def _is_known(check: _Check, who: Value) -> Rule:
    """The account of an ARN is the resource's own, or one of those allowed."""
    account = Func("custodian", "account-of", (who,))
    allowed = check.leaf("in", account, check.accounts) if check.accounts else Always(False)
    own = Compare("custodian", "equal", account, account_text(), check.at)
    return disjunction((allowed, own), check.at)


def _narrowed(check: _Check, condition: Path) -> Rule:
    """There are conditions, and each of them narrows the statement to those who are known."""
    conditions = Func("custodian", "conditions", (condition,), "Condition")
    binding = check.context.binding()
    key = Path(Element(binding), (Key("key"),), "condition")
    values = Path(Element(binding), (Key("values"),), "values")
    owned = bool(check.context.resource == "aws.sns") and not check.data.get("whitelist_endpoints")
    ways = [*_ways(check, key, values), *([_owner_given(check, key, conditions)] if owned else [])]
    every = Quantify("all", conditions, binding, disjunction(tuple(ways), check.at), at=check.at)
    return conjunction((check.leaf("greater", Func("custodian", "size", (conditions,)), 0), every), check.at)


def _ways(check: _Check, key: Path, values: Path) -> list[Rule]:
    """How a condition narrows."""
    free: list[Json] = [
        name.lower() for name in check.data.get("whitelist_conditions", ("aws:userid", "aws:username"))
    ]
    of_accounts: list[Json] = sorted(_ACCOUNT_KEYS)  # type: ignore[assignment]
    ways = [
        check.leaf("in", key, [*free, "aws:sourceip"]),
        conjunction((check.leaf("in", key, of_accounts), _every(check, values, by_account=True)), check.at),
    ]
    for setting, name in (("whitelist_vpce", "aws:sourcevpce"), ("whitelist_vpc", "aws:sourcevpc")):
        allowed = check.listed(setting)
        inside = _every(check, values, among=allowed) if allowed else Always(True)
        ways.append(conjunction((check.leaf("jmespath-same", key, name), inside), check.at))
    if check.context.resource == "aws.sns":
        ways += _sns_ways(check, key, values)
    return ways


def _every(check: _Check, values: Path, *, by_account: bool = False, among: list[Json] | None = None) -> Rule:
    binding = check.context.binding()
    value = Path(Element(binding), (), "value")
    if by_account:
        body = _is_known(check, value)
    else:
        body = check.leaf("in", Func("custodian", "account-of", (value,)), among or [])
    return Quantify("all", values, binding, body, at=check.at)


def _sns_ways(check: _Check, key: Path, values: Path) -> list[Rule]:
    binding = check.context.binding()
    value = Path(Element(binding), (), "value")
    protocols = check.leaf("in", value, check.listed("whitelist_protocols"))
    by_protocol = Quantify("all", values, binding, protocols, at=check.at)
    ways = [conjunction((check.leaf("jmespath-same", key, "sns:protocol"), by_protocol), check.at)]
    if endpoints := check.listed("whitelist_endpoints"):
        other = check.context.binding()
        place = Path(Element(other), (), "value")
        held = disjunction(tuple(check.leaf("contains", place, each) for each in endpoints), check.at)
        by_endpoint = Quantify("all", values, other, held, at=check.at)
        ways.append(conjunction((check.leaf("jmespath-same", key, "sns:endpoint"), by_endpoint), check.at))
    return ways


def _owner_given(check: _Check, key: Path, conditions: Value) -> Rule:
    """An endpoint's condition of a topic counts where the statement names a source owner as well."""
    binding = check.context.binding()
    other = Path(Element(binding), (Key("key"),), "condition")
    owner = Quantify(
        "any", conditions, binding, check.leaf("jmespath-same", other, "aws:sourceowner"), at=check.at
    )
    return conjunction((check.leaf("jmespath-same", key, "sns:endpoint"), owner), check.at)
