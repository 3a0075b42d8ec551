"""Allocation by tag and the quantities that unit costs are divided by, on the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet
from apps.core.errors import NotFound
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.tenancy.idempotency import Answer, once

from .allocation import SPLITS
from .filters import MetricFilter
from .models import CostDay, UnitMetric
from .services.units import MAX_NAME, MAX_ROWS, record_metrics
from .views.allocation import PARAMETERS, asked_allocation


class ShareSerializer(serializers.Serializer):
    value = serializers.CharField()
    own = serializers.CharField()
    shared = serializers.CharField()
    total = serializers.CharField()


class AllocationSerializer(serializers.Serializer):
    key = serializers.CharField()
    start = serializers.DateField()
    end = serializers.DateField()
    split = serializers.ChoiceField(choices=SPLITS)
    shares = ShareSerializer(many=True)
    pool = serializers.CharField(help_text="What was split: shared values, and what lacks the tag")
    left = serializers.CharField(help_text="What was not split")
    total = serializers.CharField()
    currency = serializers.CharField()


class AllocationViewSet(RoomViewSet):
    """What each value of a tag costs, its part of the shared cost included; the parts add up exactly."""

    serializer_class = AllocationSerializer
    answers_with_one = may_be_missing = True
    filter_backends = []
    pagination_class = None
    queryset = CostDay.objects.none()

    def _known_parameters(self) -> set[str]:
        return set(PARAMETERS)

    @extend_schema(
        parameters=[
            OpenApiParameter("key", str, description="A tag key that is rolled up"),
            OpenApiParameter("from", OpenApiTypes.DATE),
            OpenApiParameter("to", OpenApiTypes.DATE),
            OpenApiParameter("split", str, enum=SPLITS),
            OpenApiParameter("shared", str, many=True, description="Values of the tag whose cost is shared"),
        ],
        responses=AllocationSerializer,
    )
    def list(self, request: Request) -> Response:
        """Of the month that runs, by the first tag key, unless asked otherwise."""
        found = asked_allocation(dict(request.query_params.lists()))
        if found is None:
            raise NotFound("No tag key is rolled up yet.")
        shares: list[dict[str, Any]] = [
            {
                "value": share.value,
                **{n: format(getattr(share, n), "f") for n in ("own", "shared", "total")},
            }
            for share in found.shares
        ]
        return Response(
            {
                "key": found.key,
                "start": found.start,
                "end": found.end,
                "split": found.split,
                "shares": shares,
                "pool": format(found.pool, "f"),
                "left": format(found.left, "f"),
                "total": format(found.total, "f"),
                "currency": found.currency,
            }
        )


class MetricSerializer(ReadSerializer):
    class Meta:
        model = UnitMetric
        fields = ("metric", "day", "quantity")


class MetricRowSerializer(InputSerializer):
    metric = serializers.CharField(max_length=MAX_NAME)
    day = serializers.DateField()
    quantity = serializers.DecimalField(max_digits=40, decimal_places=12, min_value=0)


class MetricsSerializer(InputSerializer):
    rows = serializers.ListField(child=MetricRowSerializer(), allow_empty=False, max_length=MAX_ROWS)


class RecordedSerializer(serializers.Serializer):
    recorded = serializers.IntegerField()


class MetricViewSet(mixins.ListModelMixin, RoomViewSet):
    """What the tenant counts: a quantity a day. A day that is sent again is set again."""

    queryset = UnitMetric.objects.all()
    serializer_class = MetricSerializer
    filterset_class = MetricFilter
    orderings = {"day": Keyset("day", "metric"), "-day": Keyset("-day", "-metric")}
    write_permission = Permission.IMPORT

    @extend_schema(request=MetricsSerializer, responses={201: RecordedSerializer})
    def create(self, request: Request) -> Response:
        """Set the quantities of days: all of them, or none where one is wrong."""
        asked = self.validated(MetricsSerializer)
        return once(request, asked, lambda: self._record(asked)).as_response()

    @staticmethod
    def _record(asked: dict[str, Any]) -> Answer:
        return Answer(status.HTTP_201_CREATED, {"recorded": record_metrics(rows=asked["rows"])}, "")
