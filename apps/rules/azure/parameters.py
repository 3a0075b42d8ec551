"""Parameters of a definition or an initiative: declared, given, missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.rules.errors import InvalidPolicy
from apps.rules.parameters import Parameter
from apps.rules.tree import Json

_STAND_INS: dict[str, Json] = {
    "string": "parameter",
    "array": [],
    "object": {},
    "boolean": False,
    "integer": 0,
    "float": 0,
    "datetime": "2000-01-01T00:00:00Z",
}
_PYTHON: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "object": (dict,),
    "boolean": (bool,),
}


def declared(document: Any, at: str) -> tuple[Parameter, ...]:
    """The parameters that a `parameters` object declares."""
    if document is None:
        return ()
    if not isinstance(document, Mapping):
        raise InvalidPolicy(at, "parameters is a JSON object")
    return tuple(_parameter(str(name), body, f"{at}.{name}") for name, body in document.items())


def _parameter(name: str, body: Any, at: str) -> Parameter:
    if not isinstance(body, Mapping):
        raise InvalidPolicy(at, "a parameter is a JSON object")
    lowered = {str(key).lower(): value for key, value in body.items()}
    found = lowered.get("metadata")
    metadata = found if isinstance(found, Mapping) else {}
    allowed = lowered.get("allowedvalues")
    return Parameter(
        name=name,
        kind=str(lowered.get("type", "String")),
        default=lowered.get("defaultvalue"),
        has_default="defaultvalue" in lowered,
        allowed=tuple(allowed) if isinstance(allowed, list) else (),
        title=str(metadata.get("displayName") or ""),
        description=str(metadata.get("description") or ""),
    )


def values(
    parameters: tuple[Parameter, ...], given: Mapping[str, Any] | None
) -> tuple[dict[str, Json], frozenset[str]]:
    """The value of each parameter by lower-cased name, and the names of those that have none.

    A given value may be plain or in an assignment's form ({"value": ...}). One without a value gets a
    stand-in of its kind, with which the rest of the rule is checked.
    """
    handed = {str(name).lower(): _unwrapped(value) for name, value in (given or {}).items()}
    known: dict[str, Json] = {}
    missing = set()
    for parameter in parameters:
        name = parameter.name.lower()
        if name in handed:
            known[name] = _checked(parameter, handed[name])
        elif parameter.has_default:
            known[name] = parameter.default
        else:
            missing.add(name)
            kind = parameter.kind.lower()
            known[name] = parameter.allowed[0] if parameter.allowed else _STAND_INS.get(kind, "parameter")
            if kind == "array" and not isinstance(known[name], list):
                known[name] = [known[name]]
    unknown = sorted(set(handed) - set(known))
    if unknown:
        raise InvalidPolicy(f"parameters.{unknown[0]}", "the definition declares no parameter of this name")
    return known, frozenset(missing)


def _unwrapped(value: Any) -> Json:
    plain: Json = value["value"] if isinstance(value, Mapping) and set(value) == {"value"} else value
    return plain


def _checked(parameter: Parameter, value: Json) -> Json:
    at = f"parameters.{parameter.name}"
    wanted = _PYTHON.get(parameter.kind.lower())
    if wanted is not None and not isinstance(value, wanted):
        raise InvalidPolicy(at, f"a value of type {parameter.kind} is expected")
    if parameter.allowed:
        choices = {str(choice).lower() for choice in parameter.allowed}
        chosen = value if isinstance(value, list) and parameter.kind.lower() == "array" else [value]
        outside = [each for each in chosen if str(each).lower() not in choices]
        if outside:
            raise InvalidPolicy(at, f"{str(outside[0])[:80]} is not among the allowed values")
    return value
