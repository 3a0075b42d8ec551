"""Violations and exceptions as of the end of a past day, told from events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ReadSerializer, RoomViewSet
from apps.core.errors import InvalidInput
from apps.core.pagination import Keyset

from .api import ViolationCountsSerializer
from .api_exceptions import ExceptionSerializer
from .api_frameworks import AS_OF
from .as_of import AsOfPage, asked_day
from .filters import PastExceptionFilter, PastViolationFilter
from .history import counts_before, exceptions_before, standing_before
from .models import PolicyException, ViolationEvent


class PastViolationSerializer(ReadSerializer):
    since = serializers.DateTimeField(source="at", help_text="Since when it was so")
    status = serializers.CharField(
        source="shown_status", help_text="open or suppressed, as people saw it then"
    )

    class Meta:
        model = ViolationEvent
        fields = (
            "violation_id", "policy_id", "resource_id", "severity", "status", "since", "kind", "suppressed_until",
            "exception_id",
        )  # fmt: skip


class PastViewSet(mixins.ListModelMixin, AsOfPage, RoomViewSet):
    """A list for which the day is required: an answer about now stands elsewhere."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.as_of = asked_day(request.query_params.get("as_of"))
        if self.as_of is None:
            raise InvalidInput("Say which day.", field="as_of")


class PastViolationViewSet(PastViewSet):
    """Violations that were open or excepted at the end of a day, what changed last first."""

    queryset = ViolationEvent.objects.none()
    serializer_class = PastViolationSerializer
    filterset_class = PastViolationFilter
    orderings = {"-since": Keyset("-at", "-id"), "since": Keyset("at", "id")}

    def get_queryset(self) -> QuerySet[ViolationEvent]:
        return standing_before(self.before)


class PastCountsViewSet(PastViewSet):
    """How many violations of each policy and severity were open, excepted and fixed at the end of a day."""

    queryset = ViolationEvent.objects.none()
    serializer_class = ViolationCountsSerializer
    pagination_class = None
    answers_with_one = True

    def _known_parameters(self) -> set[str]:
        return {"as_of"}

    @extend_schema(parameters=[AS_OF], responses=ViolationCountsSerializer)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The counts of a day."""
        return Response({"counts": [asdict(count) for count in counts_before(self.before)]})


class PastExceptionSerializer(ExceptionSerializer):
    then = serializers.CharField(help_text="pending, approved, rejected or expired, as it was then")

    class Meta(ExceptionSerializer.Meta):
        fields: Any = (*ExceptionSerializer.Meta.fields, "then")


class PastExceptionViewSet(PastViewSet):
    """Exceptions that had been asked for by the end of a day; `then=approved` are those in force."""

    queryset = PolicyException.objects.none()
    serializer_class = PastExceptionSerializer
    filterset_class = PastExceptionFilter
    orderings = {"-created_at": Keyset("-created_at", "-id"), "created_at": Keyset("created_at", "id")}

    def get_queryset(self) -> QuerySet[PolicyException]:
        return exceptions_before(self.before).select_related("policy", "resource", "created_by", "decided_by")
