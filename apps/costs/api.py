"""Costs on the API: the series, the lines, the billing periods, the explorer's answers, the forecast."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import InputSerializer, ReadSerializer, RoomViewSet
from apps.core.errors import NotFound
from apps.core.pagination import Keyset
from apps.core.permissions import Permission

from .explorer import COMPARISONS, FILTERS, GRAINS, METRICS, ask, question_of
from .filters import CostFilter, LineFilter, PeriodFilter
from .forecasting import outlook
from .models import CostDay, CostLine, CostPeriod
from .services.settings import change_settings, cost_settings

MAX_GROUPS = 1_000


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


class CostLineSerializer(ReadSerializer):
    id = serializers.CharField()

    class Meta:
        model = CostLine
        exclude = ("tenant", "line_key")


class CostLineViewSet(mixins.ListModelMixin, RoomViewSet):
    """The charges as they were billed, in FOCUS 1.4's names."""

    queryset = CostLine.objects.all()
    serializer_class = CostLineSerializer
    filterset_class = LineFilter
    orderings = {"-day": Keyset("-day", "-id"), "day": Keyset("day", "id")}


class CostPeriodSerializer(ReadSerializer):
    class Meta:
        model = CostPeriod
        exclude = ("tenant",)


class CostPeriodViewSet(mixins.ListModelMixin, RoomViewSet):
    """Billing periods as they stand: what a new delivery of the same period replaces."""

    queryset = CostPeriod.objects.all()
    serializer_class = CostPeriodSerializer
    filterset_class = PeriodFilter
    orderings = {
        "-changed_at": Keyset("-changed_at", "-id"),
        "changed_at": Keyset("changed_at", "id"),
    }


class ExplorerLineSerializer(serializers.Serializer):
    name = serializers.CharField()
    amounts = serializers.ListField(
        child=serializers.CharField(), help_text="By bucket; exact decimals as text"
    )
    total = serializers.CharField()
    before = serializers.CharField(allow_null=True)


class ExplorerSerializer(serializers.Serializer):
    buckets = serializers.ListField(child=serializers.DateField())
    lines = ExplorerLineSerializer(many=True)
    totals = serializers.ListField(child=serializers.CharField())
    total = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    other_currencies = serializers.DictField(child=serializers.CharField())


def _text(value: Any) -> str | None:
    return None if value is None else format(value, "f")


_EXPLORER = [
    OpenApiParameter("from", OpenApiTypes.DATE, description="First day; 30 days before the last by default"),
    OpenApiParameter("to", OpenApiTypes.DATE, description="Last day; the last one with costs by default"),
    OpenApiParameter("group", str, description="service, account, region, provider, category or tag:<key>"),
    OpenApiParameter("grain", str, enum=GRAINS),
    OpenApiParameter("metric", str, enum=METRICS),
    OpenApiParameter("compare", str, enum=COMPARISONS),
    OpenApiParameter("currency", str),
    OpenApiParameter("tag", str, many=True, description="key=value; repeated, any of the values"),
    *(OpenApiParameter(name, str, many=True) for name in FILTERS),
]


class ExplorerViewSet(RoomViewSet):
    """Sums of the costs of some days, grouped and filtered, as the explorer's page shows them."""

    serializer_class = ExplorerSerializer
    answers_with_one = True
    filter_backends = []
    pagination_class = None
    queryset = CostDay.objects.none()

    def _known_parameters(self) -> set[str]:
        return {"from", "to", "group", "grain", "metric", "compare", "currency", "tag", *FILTERS}

    @extend_schema(parameters=_EXPLORER, responses=ExplorerSerializer)
    def list(self, request: Request) -> Response:
        """At most 1,000 groups, the dearest first; what is beyond them is one group of its own."""
        question = question_of(dict(request.query_params.lists()))
        answer = ask(question, shown=MAX_GROUPS)
        return Response(
            {
                "buckets": answer.buckets,
                "lines": [
                    {
                        "name": line.name,
                        "amounts": [_text(a) for a in line.amounts],
                        "total": _text(line.total),
                        "before": _text(line.before),
                    }
                    for line in answer.lines
                ],
                "totals": [_text(t) for t in answer.totals],
                "total": _text(answer.total),
                "before": _text(answer.before),
                "currency": answer.currency,
                "other_currencies": {c: _text(a) for c, a in answer.others.items()},
            }
        )


class StretchSerializer(serializers.Serializer):
    start = serializers.DateField()
    end = serializers.DateField()
    known = serializers.CharField()
    expected = serializers.CharField()
    low = serializers.CharField()
    high = serializers.CharField()
    tried = serializers.IntegerField(
        help_text="Earlier days from which the method was tried; 0: a plain band"
    )


class ForecastSerializer(serializers.Serializer):
    last_day = serializers.DateField(help_text="The last complete day")
    month = StretchSerializer()
    quarter = StretchSerializer()
    days = serializers.ListField(child=serializers.CharField(), help_text="The coming days, one by one")
    currency = serializers.CharField()


class ForecastViewSet(RoomViewSet):
    """Where the bill is going, with a band of 80 %."""

    serializer_class = ForecastSerializer
    answers_with_one = may_be_missing = True
    filter_backends = []
    pagination_class = None
    queryset = CostDay.objects.none()

    def _known_parameters(self) -> set[str]:
        return {"service"}

    @extend_schema(parameters=[OpenApiParameter("service", str)], responses=ForecastSerializer)
    def list(self, request: Request) -> Response:
        """To the month's end and three months on. 404 where there are fewer than two weeks of days."""
        found = outlook(service=request.query_params.get("service", ""))
        if found is None:
            raise NotFound("There is too little history for a forecast.")
        stretches = {
            name: {k: _text(v) if k in _MONEY else v for k, v in asdict(stretch).items()}
            for name, stretch in (("month", found.month), ("quarter", found.quarter))
        }
        days = [_text(day) for day in found.days]
        return Response({"last_day": found.last_day, **stretches, "days": days, "currency": found.currency})


_MONEY = ("known", "expected", "low", "high")


class CostSettingsSerializer(InputSerializer):
    currency = serializers.CharField(required=False, max_length=10)
    tag_keys = serializers.ListField(
        child=serializers.CharField(max_length=300), required=False, max_length=12
    )


class CostSettingsViewSet(RoomViewSet):
    """What the series are made of: one currency, and the tag keys that are rolled up."""

    serializer_class = CostSettingsSerializer
    filter_backends = []
    pagination_class = None
    queryset = CostDay.objects.none()
    write_permission = Permission.MANAGE

    @extend_schema(responses=CostSettingsSerializer)
    def retrieve(self, request: Request) -> Response:
        """The settings as they are."""
        return self._show()

    @extend_schema(request=CostSettingsSerializer, responses=CostSettingsSerializer)
    def update(self, request: Request) -> Response:
        """Change them: every sum is made again from the lines."""
        change_settings(**self.validated(CostSettingsSerializer))
        return self._show()

    @staticmethod
    def _show() -> Response:
        settings = cost_settings()
        return Response({"currency": settings.currency, "tag_keys": list(settings.tag_keys)})
