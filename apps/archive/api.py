"""Retention and legal holds on the API."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset
from apps.core.permissions import Permission
from apps.tenancy.idempotency import Answer, once

from .holds import MAX_REASON, place_hold, release_hold
from .models import LegalHold
from .moving import due
from .tables import TABLES
from .window import LONGEST, SHORTEST, hot_days, set_hot_days


class DueSerializer(serializers.Serializer):
    table = serializers.CharField()
    rows = serializers.IntegerField(help_text="Rows older than the window that have not moved yet")
    oldest = serializers.DateTimeField(allow_null=True)


class HotWindowSerializer(serializers.Serializer):
    hot_days = serializers.IntegerField(
        min_value=SHORTEST, max_value=LONGEST, help_text="How long closed rows stay in the hot tables"
    )
    due = DueSerializer(many=True)


class HotWindowInput(InputSerializer):
    hot_days = serializers.IntegerField(min_value=SHORTEST, max_value=LONGEST)


class RetentionViewSet(RoomViewSet):
    """The tenant's hot window, and what is due to move into the history."""

    write_permission = Permission.MANAGE

    @extend_schema(responses=HotWindowSerializer)
    def retrieve(self, request: Request) -> Response:
        """For how long closed rows stay hot, and how many have become too old."""
        return Response(_retention())

    @extend_schema(request=HotWindowInput, responses=HotWindowSerializer)
    def update(self, request: Request) -> Response:
        """Set the window."""
        set_hot_days(days=self.validated(HotWindowInput)["hot_days"])
        return Response(_retention())


def _retention() -> dict[str, Any]:
    waiting = [(table, due(table)) for table in TABLES]
    told = {
        "hot_days": hot_days(),
        "due": [
            {"table": table.name, "rows": found.rows, "oldest": found.oldest} for table, found in waiting
        ],
    }
    return dict(HotWindowSerializer(told).data)


class LegalHoldSerializer(ReadSerializer):
    class Meta:
        model = LegalHold
        fields = (
            "id", "area", "reason", "placed_by", "placed_at", "released_by", "released_at", "release_reason",
        )  # fmt: skip


class PlaceHoldSerializer(InputSerializer):
    reason = serializers.CharField(max_length=MAX_REASON)
    area = serializers.CharField(
        max_length=100, required=False, allow_blank=True,
        help_text="Empty for everything, or evidence/<action id>/ or reports/<report id>/",
    )  # fmt: skip


class ReleaseHoldSerializer(InputSerializer):
    reason = serializers.CharField(max_length=MAX_REASON)


class LegalHoldViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, RoomViewSet):
    """What must be kept whatever its retention says, the latest first."""

    write_permission = Permission.MANAGE
    queryset = LegalHold.objects.all()
    serializer_class = LegalHoldSerializer
    orderings = {"-placed_at": Keyset("-placed_at", "-id"), "placed_at": Keyset("placed_at", "id")}
    lookup_value_converter = "uuid"

    @extend_schema(request=PlaceHoldSerializer, responses={201: LegalHoldSerializer})
    def create(self, request: Request) -> Response:
        """Place a hold on everything, on the evidence of an action or on a report."""
        asked = self.validated(PlaceHoldSerializer)
        return once(request, asked, lambda: self._create(asked)).as_response()

    @staticmethod
    def _create(asked: dict[str, Any]) -> Answer:
        hold = place_hold(**asked)
        location = reverse("api:legal-hold-detail", kwargs={"pk": hold.pk})
        return Answer(status.HTTP_201_CREATED, dict(LegalHoldSerializer(hold).data), location)

    @extend_schema(request=ReleaseHoldSerializer, responses=LegalHoldSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, **kwargs: Any) -> Response:
        """End the hold; what another one covers stays held."""
        hold = release_hold(hold=self.get_object(), reason=self.validated(ReleaseHoldSerializer)["reason"])
        return Response(LegalHoldSerializer(hold).data)
