"""The base of every endpoint: strict parameters, declared orderings, errors that change nothing.

A room's viewset names its `permission` (and `write_permission`), its filter set and its orderings; who may
call it is asked by tenancy's gate, which stands above.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.http import HttpRequest, HttpResponseBase
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions, serializers, status
from rest_framework.filters import BaseFilterBackend
from rest_framework.mixins import ListModelMixin
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from .db.fields import NumericField
from .errors import InvalidInput, NotFound
from .pagination import Keyset
from .permissions import Permission
from .requests import parameters_with_nul

PAGING = ("cursor", "page_size", "ordering")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too-large"
    default_detail = "The body is too large."


class BoundedJSONParser(JSONParser):
    """DRF's, with a bound on the body, and an error instead of a crash for one nested without end."""

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        request = (parser_context or {}).get("request")
        length = int(request.META.get("CONTENT_LENGTH") or 0) if request is not None else 0
        if length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge(f"A JSON body has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError("The JSON is nested too deeply.") from error


class DeclaredOrderings(BaseFilterBackend):
    """`?ordering=`: one of the view's orderings. The order itself is the pagination's."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = list(view.orderings)
        if len(names) < 2:
            return []
        schema = {"type": "string", "enum": names, "default": names[0]}
        return [{"name": "ordering", "in": "query", "required": False, "schema": schema}]


class ExactDecimalField(serializers.DecimalField):
    """Money and scores as text with every digit they have: a float would round them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "max_digits": None, "decimal_places": None})


class ReadSerializer(serializers.ModelSerializer):
    """A row as it is shown: nothing in it is taken from a caller."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        NumericField: ExactDecimalField,
    }

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = True
        return fields


class InputSerializer(serializers.Serializer):
    """What a caller sends; a field that we don't know is an error, for it is a misspelt one."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(set(map(str, data)) - set(self.fields))
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


class StrictJSONField(serializers.JSONField):
    """JSON that PostgreSQL can hold: no NUL and no lone surrogate in any key or text."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        text = json.dumps(value, ensure_ascii=False)
        if "\\u0000" in text.replace("\\\\", "") or any("\ud800" <= c <= "\udfff" for c in text):
            raise serializers.ValidationError("NUL and lone surrogates can't be stored.")
        return value


class ObjectField(StrictJSONField):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("This must be an object.")
        return value


class RoomViewSet(GenericViewSet):
    """`orderings` maps what `?ordering=` may say to a keyset; the first is the default.

    A request that changes something runs in a savepoint of the request's transaction, and an error answer
    rolls it back. A view marked `non_atomic` gets its transaction here, except for the methods named in
    `untransacted`, which touch the object store and open short ones of their own.
    """

    permission: ClassVar[Permission] = Permission.VIEW
    write_permission: Permission | None = None  # which nobody holds: a view that writes says who may
    orderings: ClassVar[Mapping[str, Keyset]] = {}
    filterset_class: ClassVar[Any] = None
    filter_backends = [DjangoFilterBackend, DeclaredOrderings]
    parser_classes = [BoundedJSONParser]
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    non_atomic: ClassVar[bool] = False
    untransacted: ClassVar[tuple[str, ...]] = ()
    query_parameters: ClassVar[tuple[str, ...]] = ()  # that an action besides the list takes

    @property
    def keyset(self) -> Keyset:
        """The ordering that the request asks for. Raises InvalidInput naming the parameter."""
        name = self.request.query_params.get("ordering", next(iter(self.orderings)))
        if name not in self.orderings:
            raise InvalidInput(f"ordering must be one of {', '.join(self.orderings)}.", field="ordering")
        return self.orderings[name]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        held = not self.non_atomic  # by the middleware
        if request.method in self.untransacted or (held and request.method in SAFE_METHODS):
            return super().dispatch(request, *args, **kwargs)
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    def check_permissions(self, request: Request) -> None:
        if self.action is None:  # nobody has a permission for a method that is not there
            self.http_method_not_allowed(request)
        super().check_permissions(request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if holding := parameters_with_nul(dict(request.query_params.lists())):
            raise exceptions.ValidationError({name: ["NUL can't be looked for."] for name in holding})
        unknown = sorted(set(request.query_params) - self._known_parameters())
        if unknown:
            errors = {name: ["There is no such parameter."] for name in unknown}
            raise exceptions.ValidationError(errors)

    def _known_parameters(self) -> set[str]:
        if self.action != "list":
            return set(self.query_parameters)
        paging = PAGING if len(self.orderings) > 1 else PAGING[:2]
        return set(paging) | (self.filterset_class.parameters() if self.filterset_class else set())

    def validated(self, serializer_class: type[serializers.Serializer]) -> dict[str, Any]:
        """The request's body by `serializer_class`; raises DRF's ValidationError naming the fields."""
        serializer = serializer_class(data=self.request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class PartViewSet(ListModelMixin, RoomViewSet):
    """The rows of `queryset` that belong to one object of `whole`, named by the address's part `by`.

    404 where that object is not there, rather than an empty list.
    """

    whole: ClassVar[type[models.Model]]
    by: ClassVar[str]

    def get_queryset(self) -> models.QuerySet[Any]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):  # drf-spectacular looks at the view without a request
            return rows
        pk = self.kwargs[self.by]
        if not self.whole._default_manager.filter(pk=pk).exists():
            raise NotFound(f"There is no such {self.whole._meta.verbose_name}.")
        return rows.filter(**{self.by: pk})


def reference(queryset: models.QuerySet[Any], pk: Any, field: str) -> Any:
    """The row that a body's field names; raises InvalidInput, the same for another tenant's as for none."""
    row = queryset.filter(pk=pk).first()
    if row is None:
        raise InvalidInput(f"There is no {queryset.model._meta.verbose_name} {pk}.", field=field)
    return row
