"""The `then` of a definition: its effect, and the related resource that auditIfNotExists and
deployIfNotExists ask for.

Source: Microsoft Learn, "Azure Policy definitions effect basics" and the pages of the single effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from apps.rules.azure.conditions import leaf, rule_of
from apps.rules.azure.context import Scope
from apps.rules.azure.lowering import lower_json
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import Always, Column, Const, Func, Not, Path, Related, Rule, Value, conjunction

EFFECTS = {
    name.lower(): name
    for name in ("audit", "deny", "append", "modify", "disabled", "auditIfNotExists", "deployIfNotExists")
}
_REFUSED = {
    "manual": "the effect manual is attested by a person",
    "denyaction": "the effect denyAction is about requests to delete",
    "mutate": "the effect mutate is about Kubernetes requests",
    "addtonetworkgroup": "the effect addToNetworkGroup says who is a member, not what is wrong",
    "enforceopaconstraint": "the effect EnforceOPAConstraint is decided inside a cluster",
    "enforceregopolicy": "the effect EnforceRegoPolicy is decided inside a cluster",
    "auditaction": "the effect auditAction is about requests",
}
_OPAQUE = {
    "microsoft.guestconfiguration/guestconfigurationassignments": "guest configuration",
    "microsoft.security/assessments": "Defender for Cloud's assessments",
    "microsoft.security/complianceresults": "Defender for Cloud's results",
}
_INVENTORIED = ("microsoft.compute/", "microsoft.network/", "microsoft.storage/")


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect by its canonical name, and its `details`."""

    name: str
    details: Mapping[str, Any] | None


def effect_of(then: Any, scope: Scope, at: str) -> Effect:
    """The effect of a `then` block. Raises `Unsupported` for one that says nothing about a resource's
    state."""
    if not isinstance(then, Mapping):
        raise InvalidPolicy(at, "then is a JSON object")
    lowered = {str(key).lower(): key for key in then}
    if "effect" not in lowered:
        raise InvalidPolicy(at, "then has an effect")
    place = f"{at}.{lowered['effect']}"
    value = lower_json(then[lowered["effect"]], scope, place)
    if not isinstance(value, Const) or not isinstance(value.value, str):
        raise Unsupported(place, "the effect is chosen by the resource")
    name = value.value.lower()
    if name in _REFUSED:
        raise Unsupported(place, _REFUSED[name])
    details = then[lowered["details"]] if "details" in lowered else None
    related = isinstance(details, Mapping) and "existenceCondition" in details
    if name not in EFFECTS and not (name == "parameter" and scope.definition.missing):
        raise InvalidPolicy(place, f"there is no effect {value.value[:40]}")
    return Effect(EFFECTS.get(name, ""), details if isinstance(details, Mapping) or related else None)


def looks_at_related(effect: Effect) -> bool:
    """Whether the definition asks for a related resource, whatever its effect is set to now (Disabled,
    say)."""
    return effect.details is not None and isinstance(effect.details.get("type"), str | dict)


def not_existing(details: Mapping[str, Any], scope: Scope, at: str) -> Rule:
    """The rule that the related resource that `details` describes is not there."""
    keys = {str(key).lower(): key for key in details}
    related_type = _text(details, keys, "type", scope, at).lower()
    if related_type in _OPAQUE:
        raise Unsupported(
            f"{at}.type", f"it looks at {_OPAQUE[related_type]}, which the inventory does not hold"
        )
    types = scope.resource_types
    if types is None:
        raise Unsupported(f"{at}.type", "which related resources are meant depends on the resource's type")
    if (
        types
        and all(each == related_type for each in types)
        and "name" in keys
        and _is_itself(details[keys["name"]])
    ):
        itself = replace(scope, row="", types=types)
        return Not(_condition(details, keys, itself, at), at)
    link, segments = _link(related_type, types, details, keys, scope, at)
    row = scope.definition.fresh("r")
    inner = replace(scope, row=row, types=frozenset({related_type}), counts=())
    parts = [_condition(details, keys, inner, at)]
    if "resourcegroupname" in keys:
        place = f"{at}.{keys['resourcegroupname']}"
        group = lower_json(details[keys["resourcegroupname"]], scope.of_resource(), place)
        parts.insert(0, leaf("equals", Path(Column("group_name", row), (), "resource group"), group, place))
    if "name" in keys:
        parts.insert(0, _name_condition(details[keys["name"]], row, scope, f"{at}.name"))
    return Not(Related((related_type,), row, link, conjunction(tuple(parts)), segments, at), at)


def _is_itself(name: Any) -> bool:
    return isinstance(name, str) and name.replace(" ", "").lower() in (
        "[field('name')]",
        "[field('fullname')]",
    )


def _text(details: Mapping[str, Any], keys: dict[str, Any], name: str, scope: Scope, at: str) -> str:
    value = lower_json(details[keys[name]], scope, f"{at}.{keys[name]}")
    if not isinstance(value, Const) or not isinstance(value.value, str):
        raise Unsupported(
            f"{at}.{keys[name]}", f"the {name} of the related resource is chosen by the resource"
        )
    return value.value


def _condition(details: Mapping[str, Any], keys: dict[str, Any], scope: Scope, at: str) -> Rule:
    if "existencecondition" not in keys:
        return Always(True)
    place = f"{at}.{keys['existencecondition']}"
    return rule_of(details[keys["existencecondition"]], scope.deeper(), place)


def _link(
    related: str,
    types: frozenset[str],
    details: Mapping[str, Any],
    keys: dict[str, Any],
    scope: Scope,
    at: str,
) -> tuple[Literal["below", "group", "account"], int]:
    """How the related row is tied to the resource, as `Related.link` and `Related.segments`."""
    below = {related.count("/") - each.count("/") for each in types if related.startswith(each + "/")}
    if types and len(below) == 1 and all(related.startswith(each + "/") for each in types):
        return "below", 2 * below.pop()
    if related not in types and not related.startswith(_INVENTORIED):
        shown = str(details[keys["type"]])[:80]
        raise Unsupported(f"{at}.type", f"it looks at {shown}, which the inventory does not hold")
    wide = "resourcegroupname" in keys or (
        "existencescope" in keys
        and _text(details, keys, "existencescope", scope, at).lower() == "subscription"
    )
    return ("account" if wide else "group"), 0


def _name_condition(raw: Any, row: str, scope: Scope, at: str) -> Rule:
    """The related row's own name; a name given with its parents' ("server/default") is read by its last
    part."""
    wanted: Value = lower_json(raw, scope.of_resource(), at)
    if isinstance(wanted, Const) and isinstance(wanted.value, str):
        wanted = Const(wanted.value.rpartition("/")[2])
    elif not isinstance(wanted, Const):
        wanted = Func("azure", "last", (Func("azure", "split", (wanted, Const("/"))),))
    return leaf("equals", Path(Column("name", row), (), "name"), wanted, at)
