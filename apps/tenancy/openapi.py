"""How the API describes itself: each operation with its permission, its problems and its ways to sign in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction
from rest_framework import serializers

from apps.core.api import InputSerializer
from apps.core.problems import MEDIA_TYPE

from .permissions import required_permission
from .tokens import SCOPES

_NAMES = {
    400: "The request is wrong; `errors` names the fields or parameters",
    401: "Nobody is signed in, or the token is not valid",
    403: "The role, the token's scopes or a rule of the house forbids it",
    404: "There is no such object for this tenant",
    409: "The object's state does not allow it, or somebody else moved it first",
    413: "The body is too large",
    415: "The body's media type is not understood",
    422: "The Idempotency-Key came with another request before",
    429: "Too many requests; Retry-After says when to come back",
    503: "Something the service depends on is away; try again",
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key and body, the first answer is given back for 24 hours.",
    "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
}


class Problem(serializers.Serializer):
    """RFC 9457 problem details."""

    type = serializers.CharField(help_text="A URN that names the kind of problem")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field]:
        # Not as an attribute: `errors` is the serializer's own.
        wrong = serializers.DictField(required=False, help_text="What is wrong, by field or parameter")
        return {**super().get_fields(), "errors": wrong}


class OperationSchema(AutoSchema):
    """drf-spectacular's, with what the house adds."""

    def get_description(self) -> str:  # type: ignore[override]
        permission = required_permission(self.view, self.method)
        scopes = " or ".join(f"`{name}`" for name, held in SCOPES.items() if permission in held)
        needed = f"Permission: `{permission}`. A token needs the scope {scopes}."
        return f"{super().get_description()}\n\n{needed}".strip()

    def _is_list_view(self, serializer: Any = None) -> bool:
        """A view that says `answers_with_one` gives one object at the address of a list: sums, not rows."""
        return not getattr(self.view, "answers_with_one", False) and bool(super()._is_list_view(serializer))

    def _get_parameters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._get_parameters()
        return [*found, _IDEMPOTENCY] if self._keeps_keys() else found

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(Problem, direction).ref
        for code in self._problems():
            bodies.setdefault(
                str(code), {"description": _NAMES[code], "content": {MEDIA_TYPE: {"schema": problem}}}
            )
        return dict(sorted(bodies.items()))

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: Any) -> Any:
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)
        if isinstance(serializer, InputSerializer) and schema.get("type") == "object":
            schema["additionalProperties"] = False
        for part in schema.get("properties", {}).values():
            if {} in part.get("oneOf", ()):  # any JSON or null: null would match both
                del part["oneOf"]
        return schema

    def _problems(self) -> list[int]:
        codes = [400, 401, 403]
        if "{" in self.path or getattr(self.view, "may_be_missing", False):
            codes.append(404)
        if self.method not in ("GET", "HEAD"):
            codes += [409, 413, 415]
        if self._keeps_keys():
            codes.append(422)
        if self.view.get_throttles():
            codes.append(429)
        if getattr(self.view, "non_atomic", False):
            codes.append(503)
        return codes

    def _keeps_keys(self) -> bool:
        return self.method == "POST" and getattr(self.view, "action", None) == "create"


class Filters(DjangoFilterExtension):
    """Our filters say themselves what they take."""

    priority = 1

    def resolve_filter_field(
        self, auto_schema: Any, model: Any, filterset_class: Any, field_name: str, filter_field: Any
    ) -> list[dict[str, Any]]:
        schema = getattr(filter_field, "schema", None)
        if schema is None:
            found: list[dict[str, Any]] = super().resolve_filter_field(
                auto_schema, model, filterset_class, field_name, filter_field
            )
            return found
        parameter = {"name": field_name, "in": "query", "required": False, "schema": schema}
        if schema["type"] == "array":
            parameter |= {"style": "form", "explode": True}
        if text := filter_field.extra.get("help_text"):
            parameter["description"] = text
        return [parameter]


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "apps.tenancy.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API token: `gov_…`"}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "apps.tenancy.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "governance_session"}
