"""What a requester gives for a kind: checked against the kind's JSON Schema, errors naming the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from apps.core.errors import InvalidInput

from .executors.base import Executor

# The server's own: whatever a requester writes there is dropped.
RESERVED = ("requires_approval",)


def checked_params(executor: Executor, params: Any, *, field: str = "params") -> dict[str, Any]:
    """The parameters without what is the server's. Raises InvalidInput whose field is e.g. `params.tags.owner`."""
    if not isinstance(params, Mapping):
        raise InvalidInput("The parameters are an object.", field=field)
    given = {str(name): value for name, value in params.items() if name not in RESERVED}
    error = best_match(Draft202012Validator(dict(executor.kind.params)).iter_errors(given))
    if error is not None:
        raise InvalidInput(_words(error), field=".".join([field, *map(str, _path(error))]))
    return given


def _path(error: Any) -> list[Any]:
    """Where it is; for a property that is missing or not known, the property itself."""
    path = list(error.absolute_path)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        path += missing[:1]
    elif error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = error.schema.get("properties", {})
        path += [name for name in error.instance if name not in known][:1]
    return path


def _words(error: Any) -> str:
    if error.validator == "required":
        return "This parameter is needed."
    if error.validator == "additionalProperties":
        return "This kind has no such parameter."
    text = str(error.message)
    return f"{text[:1].upper()}{text[1:300]}."
