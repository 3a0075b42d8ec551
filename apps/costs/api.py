"""The cost series on the API."""

from __future__ import annotations

from rest_framework import mixins

from apps.core.api import ReadSerializer, RoomViewSet
from apps.core.pagination import Keyset

from .filters import CostFilter
from .models import CostDay


class CostDaySerializer(ReadSerializer):
    class Meta:
        model = CostDay
        fields = ("service", "resource_id", "day", "amount")


class CostViewSet(mixins.ListModelMixin, RoomViewSet):
    """A day's billed cost of a service. Amounts are exact decimals, as text."""

    queryset = CostDay.objects.all()
    serializer_class = CostDaySerializer
    filterset_class = CostFilter
    orderings = {
        "-day": Keyset("-day", "-service"),
        "day": Keyset("day", "service"),
        "service": Keyset("service", "day"),
    }
